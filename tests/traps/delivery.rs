//! Whose acknowledgement counts, and of what.

use longhaul::engine::id::{ClientId, SessionId};
use longhaul::engine::input::{Call, IfExists, Input};
use longhaul::engine::task::TaskSpec;

use super::world::{FIRST, File, World, at_home, key};

/// A session whose delegate, `page`, was sent two events, and has handled neither.
fn with_two_events() -> World {
    let file = File::new(0, 1_000);
    let mut world = World::new(move |request, _| file.answer(request));
    for id in ["a", "b"] {
        let spec = TaskSpec { call_token: id.into(), ..at_home() };
        let (key, secrets, if_exists) = (key(id), Vec::new(), IfExists::Keep);
        world.call(Call::Download { key, spec, secrets, if_exists }).expect("accepted");
    }
    world.until(|world| world.events.len() == 2);
    assert_eq!(world.stored_events(), 2);
    world
}

fn ack(world: &mut World, page: &str, session: &str, seq: u64) {
    world.give(Input::Ack { client: ClientId::new(page), session: SessionId::new(session), seq });
    world.drain_all();
}

fn watch(world: &mut World, page: &str) {
    let (client, session) = (ClientId::new(page), SessionId::new("s"));
    world.give(Input::Hello { client, session, delegate: false, can_authorize: false });
}

#[test]
fn a_page_that_is_not_the_delegate_acknowledges_nothing() {
    let mut world = with_two_events();
    ack(&mut world, "stranger", "s", FIRST);
    watch(&mut world, "observer");
    ack(&mut world, "observer", "s", FIRST + 1);
    assert_eq!(world.stored_events(), 2);
    // Another page takes over before the first one has said what it has handled.
    world.attach("other", false);
    ack(&mut world, "page", "s", FIRST + 1);
    assert_eq!(world.stored_events(), 2);
    ack(&mut world, "other", "s", FIRST + 1);
    assert_eq!(world.stored_events(), 0);
}

#[test]
fn an_event_that_was_never_sent_to_a_page_is_not_acknowledged_by_it() {
    let mut world = with_two_events();
    for seq in [FIRST + 2, FIRST + 1_000, u64::MAX] {
        ack(&mut world, "page", "s", seq);
        assert_eq!(world.stored_events(), 2, "{seq}");
    }
    // The next worker has sent nothing yet, whatever the page has of the one before.
    world.kill();
    ack(&mut world, "page", "s", FIRST + 1);
    assert_eq!(world.stored_events(), 2);
    world.attach("page", false);
    ack(&mut world, "page", "s", FIRST);
    assert_eq!(world.stored_events(), 1);
}

#[test]
fn an_acknowledgement_for_a_session_that_nobody_opened_is_none() {
    let mut world = with_two_events();
    let (client, session) = (ClientId::new("page"), SessionId::new("other"));
    world.give(Input::Hello { client, session, delegate: true, can_authorize: true });
    ack(&mut world, "page", "other", FIRST + 1);
    assert_eq!(world.stored_events(), 2);
    ack(&mut world, "page", "s", FIRST + 1);
    assert_eq!(world.stored_events(), 0);
}
