#!/usr/bin/python3
"""The smallest browser on WebKitGTK that WebKitWebDriver can drive and that has a profile on disk: the one that comes
with WebKitGTK keeps nothing while it is automated. `webkit_browser.py PROFILE`."""

import signal
import sys

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")
from gi.repository import GLib, Gtk, WebKit2  # noqa: E402

profile = sys.argv[1]
data = WebKit2.WebsiteDataManager(base_data_directory=f"{profile}/data", base_cache_directory=f"{profile}/cache")
context = WebKit2.WebContext(website_data_manager=data)


def create_view(session):
    view = WebKit2.WebView(web_context=context, is_controlled_by_automation=True)
    window = Gtk.Window()
    window.add(view)
    window.show_all()
    view.connect("close", lambda _: window.destroy())
    view.connect("permission-request", lambda _, request: request.allow() or True)
    return view


def automation_started(_, session):
    info = WebKit2.ApplicationInfo()
    info.set_name("longhaul-tests")
    info.set_version(WebKit2.get_major_version(), WebKit2.get_minor_version(), WebKit2.get_micro_version())
    session.set_application_info(info)
    session.connect("create-web-view", create_view)


def download_started(_, download):
    download.connect("decide-destination", lambda _, name: download.set_destination(f"file://{profile}/saved/{name}") or True)


context.connect("download-started", download_started)
context.set_automation_allowed(True)
context.connect("automation-started", automation_started)
GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGTERM, Gtk.main_quit)
Gtk.main()
