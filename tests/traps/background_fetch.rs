//! External attempts: what the browser itself fetches, and what becomes of the task meanwhile and afterwards.

use longhaul::engine::error::ErrorCode;
use longhaul::engine::id::ClientId;
use longhaul::engine::input::{IfExists, Input, TaskCall};
use longhaul::engine::output::FetchRequest;
use longhaul::engine::policy::Conditions;
use longhaul::engine::task::{TaskSpec, TaskState};
use longhaul::engine::transport::Transport;

use super::world::{File, Reply, World, at_home, failure};

const LEN: usize = 24 << 20;

fn spec(is_strict: bool) -> TaskSpec {
    TaskSpec { transport: Transport::External { is_strict, ui: Some("{}".into()), out: None }, ..at_home() }
}

/// A page says whether it can begin what it may be asked to.
fn tell(world: &mut World, can_begin: bool) {
    let conditions = Conditions { visible: Some(true), can_begin: Some(can_begin), ..Conditions::default() };
    world.give(Input::Conditions { observer: Some(ClientId::new("page")), conditions });
}

/// A world whose task `t` is to be begun by the browser.
fn asked(is_strict: bool) -> (World, File) {
    let file = File::new(0, LEN);
    let served = file.clone();
    let mut world = World::new(move |request, _| served.answer(request));
    tell(&mut world, true);
    world.download(spec(is_strict)).expect("accepted");
    world.until(|world| !world.asked_to_begin.is_empty());
    (world, file)
}

/// The browser has begun, and the page says so.
fn begun(is_strict: bool) -> (World, File, String) {
    let (mut world, file) = asked(is_strict);
    let registration = world.asked_to_begin[0].registration.clone();
    world.registrations.insert(registration.clone(), Default::default());
    answer(&mut world, None);
    (world, file, registration)
}

fn answer(world: &mut World, refusal: Option<&str>) {
    let registration = world.asked_to_begin.last().expect("asked").registration.clone();
    let refusal = refusal.map(Into::into);
    world.task_call(TaskCall::ExternalBegun { registration, refusal }).expect("answered");
}

/// The browser has these parts, as the file is.
fn bring(world: &mut World, file: &File, parts: impl IntoIterator<Item = usize>) {
    for part in parts {
        bring_as(world, part, |request| file.answer(request));
    }
}

fn bring_all(world: &mut World, file: &File) {
    let parts = 0..world.asked_to_begin.last().expect("asked").parts.len();
    bring(world, file, parts);
}

fn bring_as(world: &mut World, part: usize, reply: impl Fn(&FetchRequest) -> Reply) {
    let request = world.asked_to_begin.last().expect("asked").clone();
    let range = request.parts[part].clone();
    let (start, end) = (range.start, Some(range.end));
    let reply = reply(&FetchRequest { url: request.url, range: Some((start, end)), ..FetchRequest::default() });
    world.registrations.get_mut(&request.registration).expect("it is there").1.insert(start, reply);
}

fn ends(world: &mut World, registration: &str, by_user: bool) {
    world.registrations.get_mut(registration).expect("it is there").0 = true;
    world.give(Input::External { registration: registration.into(), by_user });
}

#[test]
fn what_the_browser_brings_is_the_file_and_nothing_is_fetched_beside_it() {
    let (mut world, file, registration) = begun(true);
    assert!(!world.is_working, "the browser is at work, the worker is not");
    let parts = world.asked_to_begin[0].parts.clone();
    assert_eq!(parts.last().map(|part| part.end), Some(LEN as u64));
    bring(&mut world, &file, 0..parts.len());
    ends(&mut world, &registration, false);
    let task = world.play(60_000);
    assert_eq!(task.record.state, TaskState::Completed);
    assert_eq!(world.file(), file.bytes);
    assert_eq!(world.requests.len(), 1, "one request told what the file is");
    assert_eq!((world.let_go, world.ends_shown), (vec![registration], vec!["{}".to_owned()]), "the event may end");
}

#[test]
fn records_are_taken_while_it_goes_on_and_survive_a_kill() {
    let (mut world, file, registration) = begun(true);
    let before = world.task().expect("there").progress.received.len();
    bring(&mut world, &file, [0, 2]);
    world.wait(31_000);
    let received = world.task().expect("there").progress.received;
    assert_eq!(received.len(), before + (8 << 20), "what has come is durable");
    world.kill();
    tell(&mut world, true);
    assert!(world.task().expect("there").progress.transport.out().is_some());
    world.wait(1_000);
    bring_all(&mut world, &file);
    ends(&mut world, &registration, false);
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!((world.file(), world.requests.len()), (file.bytes, 1));
}

#[test]
fn a_record_that_was_being_read_when_the_worker_died_is_not_stored_over_what_is_durable() {
    let (mut world, file, registration) = begun(true);
    let before = world.task().expect("there").progress.received.len();
    bring(&mut world, &file, [0]);
    world.wait(29_000);
    world.until(|world| world.task().is_some_and(|task| task.progress.received.len() > before));
    world.kill();
    tell(&mut world, true);
    world.wait(1_000);
    let durable = world.task().expect("there").progress.received;
    assert!(durable.len() < before + (4 << 20), "it was interrupted");
    ends(&mut world, &registration, false);
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), file.bytes);
    let later: Vec<_> = world.ranges().into_iter().skip(1).flatten().collect();
    assert_eq!(later.first().map(|range| range.0), Some(durable.first_gap()), "nothing durable is asked for again");
}

#[test]
fn what_the_browser_has_not_brought_is_fetched_and_nothing_else() {
    let (mut world, file, registration) = begun(true);
    bring(&mut world, &file, [1]);
    let part = world.asked_to_begin[0].parts[1].clone();
    ends(&mut world, &registration, false);
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), file.bytes);
    let later: Vec<_> = world.ranges().into_iter().skip(1).flatten().collect();
    assert_eq!(later[0].1, Some(part.start), "up to what has come");
    assert_eq!(later[1], (part.end, None), "and behind it");
}

#[test]
fn a_record_of_another_version_is_left_alone_and_the_server_is_asked() {
    let (mut world, file, registration) = begun(true);
    let other = File::new(1, LEN);
    bring(&mut world, &file, [0]);
    bring(&mut world, &other, [1]);
    ends(&mut world, &registration, false);
    let task = world.play(60_000);
    assert_eq!((task.record.state, task.progress.restarts), (TaskState::Completed, 0));
    assert_eq!(world.file(), file.bytes, "one version, and the one that the server has");
}

#[test]
fn records_that_are_whole_files_cut_or_refusals_harm_nothing() {
    let (mut world, file, registration) = begun(true);
    bring_as(&mut world, 0, |request| file.answer(&FetchRequest { range: None, ..request.clone() }));
    bring_as(&mut world, 1, |request| file.answer(request).cut_after(1 << 20));
    bring_as(&mut world, 2, |_| Reply::status(404));
    bring_as(&mut world, 3, |_| Reply::unreachable(true));
    bring_as(&mut world, 4, |request| {
        let mut long = file.answer(request);
        long.body.extend([0; 9]);
        long
    });
    ends(&mut world, &registration, false);
    let task = world.play(60_000);
    assert_eq!((task.record.state, task.progress.restarts), (TaskState::Completed, 0));
    assert_eq!(world.file(), file.bytes);
    assert_eq!(world.let_go, [registration]);
}

#[test]
fn stopped_by_the_user_it_is_paused_with_what_has_come() {
    let (mut world, file, registration) = begun(true);
    let before = world.task().expect("there").progress.received.len();
    bring(&mut world, &file, [0]);
    ends(&mut world, &registration, true);
    world.until(|world| world.task().is_some_and(|task| task.record.state == TaskState::Paused));
    assert_eq!(world.task().expect("there").progress.received.len(), before + (4 << 20));
    assert_eq!(world.requests.len(), 1);
    world.task_call(TaskCall::Resume).expect("answered");
    world.until(|world| world.asked_to_begin.len() == 2);
}

#[test]
fn a_call_that_ends_it_keeps_what_has_come_and_ends_the_browsers_part() {
    for keep in [None, Some(true), Some(false)] {
        let (mut world, file, registration) = begun(true);
        bring(&mut world, &file, [0]);
        let call = keep.map_or(TaskCall::Pause, |keep| TaskCall::Cancel { keep });
        world.task_call(call).expect("answered");
        assert_eq!(world.let_go, [registration]);
        let state = world.task().expect("there").record.state;
        assert_eq!(state, if keep.is_some() { TaskState::Cancelled } else { TaskState::Paused });
        world.wait(60_000);
        assert_eq!(world.requests.len(), 1, "nothing is fetched after that");
    }
}

#[test]
fn refused_it_fails_where_it_must_be_the_browser_and_is_fetched_where_it_need_not() {
    let (mut world, _) = asked(true);
    answer(&mut world, Some("NotAllowedError"));
    world.until(|world| world.task().is_some_and(|task| task.record.state.has_ended()));
    assert_eq!(failure(&world.task().expect("there")), ErrorCode::BackgroundFetchRefused);
    world.task_call(TaskCall::Resume).expect("answered");
    world.until(|world| world.asked_to_begin.len() == 2);

    let (mut world, file) = asked(false);
    answer(&mut world, Some("NotAllowedError"));
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!((world.file(), world.asked_to_begin.len()), (file.bytes, 1));
}

#[test]
fn a_kill_between_the_reservation_and_the_beginning_costs_nothing() {
    let (mut world, file) = asked(true);
    let late = world.asked_to_begin[0].registration.clone();
    world.kill();
    world.attach("page", false);
    assert_eq!(world.play(60_000).record.state, TaskState::Completed, "the browser knows of nothing");
    assert_eq!(world.file(), file.bytes);
    // The page has begun all the same, too late.
    world.task_call(TaskCall::ExternalBegun { registration: late.clone(), refusal: None }).expect("answered");
    assert!(world.let_go.contains(&late), "nobody wants it any more");
}

#[test]
fn a_page_that_never_answers_is_not_waited_for_for_ever() {
    let (mut world, file) = asked(true);
    world.wait(29_000);
    assert_eq!(world.requests.len(), 1, "it may still be about to begin");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), file.bytes);
}

#[test]
fn without_a_page_that_can_begin_it_is_fetched() {
    let file = File::new(0, LEN);
    let mut world = World::new(move |request, _| file.answer(request));
    tell(&mut world, false);
    world.download(spec(true)).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert!(world.asked_to_begin.is_empty());
}

#[test]
fn a_file_whose_bytes_nothing_may_continue_is_never_handed_over() {
    let file = File { etag: None, ..File::new(0, LEN) };
    let mut world = World::new(move |request, _| file.answer(request));
    tell(&mut world, true);
    world.download(spec(true)).expect("accepted");
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert!(world.asked_to_begin.is_empty());
}

#[test]
fn an_event_of_nobodys_registration_is_let_go_at_once() {
    let (mut world, _, registration) = begun(true);
    for other in ["longhaul/7/1/st", "longhaul/7/1/snobody", "longhaul/7/7/unknown", "podcast"] {
        world.give(Input::External { registration: other.into(), by_user: true });
        world.until(|world| world.let_go.iter().any(|gone| gone == other));
    }
    assert!(world.registrations.contains_key(&registration));
    assert_eq!(world.task().expect("there").record.state, TaskState::READY, "it was another one that was stopped");
}

#[test]
fn replaced_it_leaves_nothing_with_the_browser() {
    let (mut world, _, registration) = begun(true);
    let file = File::new(1, 1 << 20);
    let bytes = file.bytes.clone();
    world.serve(move |request, _| file.answer(request));
    world.download_with(at_home(), Vec::new(), IfExists::Replace).expect("accepted");
    assert_eq!(world.let_go, [registration]);
    assert_eq!(world.play(60_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), bytes);
}

#[test]
fn a_reservation_whose_commit_was_lost_is_looked_up() {
    let file = File::new(0, LEN);
    let served = file.clone();
    let mut world = World::new(move |request, _| served.answer(request));
    tell(&mut world, true);
    world.download(spec(true)).expect("accepted");
    world.until(|world| world.task().is_some_and(|task| !task.progress.received.is_empty()));
    world.unknown_commits = 1;
    world.until(|world| !world.asked_to_begin.is_empty());
    let registration = world.asked_to_begin[0].registration.clone();
    world.registrations.insert(registration.clone(), Default::default());
    answer(&mut world, None);
    bring_all(&mut world, &file);
    // The answer of the commit that stores a record is lost.
    world.unknown_commits = 1;
    ends(&mut world, &registration, false);
    assert_eq!(world.play(600_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), file.bytes);
}

#[test]
fn a_full_disk_while_records_are_taken_loses_none_of_them_for_good() {
    let (mut world, file, registration) = begun(true);
    bring_all(&mut world, &file);
    world.failing_commits = 3;
    ends(&mut world, &registration, false);
    assert_eq!(world.play(600_000).record.state, TaskState::Completed);
    assert_eq!(world.file(), file.bytes);
    assert!(world.let_go.contains(&registration));
}

#[test]
fn an_event_that_has_brought_all_does_not_wait_for_storage_that_cannot_be_read() {
    let (mut world, _, registration) = begun(true);
    world.drain_all();
    // Nothing has come, so the next commit lifts the reservation; whether it did, storage does not say at first.
    (world.unknown_commits, world.failing_loads) = (1, 1);
    ends(&mut world, &registration, false);
    world.until(|world| world.failing_loads == 0);
    world.drain_all();
    assert_eq!(world.let_go, [registration]);
    assert_eq!(world.play(600_000).record.state, TaskState::Completed);
}
