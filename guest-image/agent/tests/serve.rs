//! What the agent does for the harness, over a socket and without a guest.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use agent_protocol::{Command, Data, Message, Op, Outcome, Stream, TerminalSize, VERSION};
use support::Agent;

fn command(argv: &[&str]) -> Command {
    Command { argv: argv.iter().map(|&word| word.to_owned()).collect(), ..Command::default() }
}

fn shell(script: &str) -> Command {
    command(&["/bin/sh", "-c", script])
}

#[test]
fn it_says_first_that_it_is_ready() {
    let mut agent = Agent::start();
    agent.until(|_| true);
    assert!(
        matches!(&agent.seen[0], Message::Ready { version: VERSION, cpus: 1.., .. }),
        "{:?}",
        agent.seen
    );
}

#[test]
fn a_program_tells_its_output_and_then_its_exit_code() {
    let mut agent = Agent::start();
    let id = agent.send(Op::Run(shell("echo out; echo err >&2; exit 3")));
    let ended = agent.ended(id);
    assert_eq!((ended.code, ended.signal), (Some(3), None));
    assert_eq!(agent.output(id, Stream::Stdout), b"out\n");
    assert_eq!(agent.output(id, Stream::Stderr), b"err\n");
}

#[test]
fn output_comes_while_the_program_runs() {
    let mut agent = Agent::start();
    let id = agent.send(Op::Spawn(shell("echo begun; exec sleep 1000")));
    let output = |message: &Message| matches!(message, Message::Output { id: of, .. } if *of == id);
    agent.until(output);
    assert_eq!(agent.output(id, Stream::Stdout), b"begun\n");
}

#[test]
fn all_output_comes_before_the_end_however_much_it_is() {
    let mut agent = Agent::start();
    let script = "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; \
                  i=$((i+1)); done";
    let id = agent.send(Op::Run(shell(script)));
    agent.ended(id);
    assert_eq!(agent.output(id, Stream::Stdout).len(), 3000 * 41);
}

#[test]
fn bytes_that_are_not_text_arrive_exactly() {
    let mut agent = Agent::start();
    let bytes: Vec<u8> = (0..=255).collect();
    let id = agent
        .send(Op::Run(Command { stdin: Some(Data::from(bytes.clone())), ..command(&["cat"]) }));
    agent.ended(id);
    assert_eq!(agent.output(id, Stream::Stdout), bytes);
}

#[test]
fn large_input_needs_nobody_to_feed_it() {
    let mut agent = Agent::start();
    let id = agent.send(Op::Run(Command {
        stdin: Some(Data::Text("x".repeat(1 << 20))),
        ..command(&["wc", "-c"])
    }));
    assert_eq!(agent.ended(id).code, Some(0));
    assert_eq!(agent.output(id, Stream::Stdout).trim_ascii(), b"1048576");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let mut agent = Agent::start();
    let outcome = agent.ask(Op::Run(command(&["no-such-program"])));
    let Outcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
    assert_eq!(failure.errno, Some(libc::ENOENT));
    assert!(failure.message.starts_with("no-such-program:"), "{}", failure.message);
    // Whatever went wrong with one program, the next one runs.
    assert!(matches!(agent.ask(Op::Run(command(&["true"]))), Outcome::Ended(_)));
}

#[test]
fn an_empty_argv_is_refused() {
    assert!(matches!(Agent::start().ask(Op::Run(Command::default())), Outcome::Failed(_)));
}

#[test]
fn kill_reaches_the_whole_session() {
    let mut agent = Agent::start();
    // The pipe stays open, and so the program's output, until the child in background is dead.
    let id = agent.send(Op::Run(shell("sleep 1000 & echo up; wait")));
    agent.until(|message| matches!(message, Message::Output { .. }));
    assert_eq!(agent.ask(Op::Kill { target: id, signal: 9 }), Outcome::Ok);
    assert_eq!(agent.ended(id).signal, Some(9));
    let gone = Instant::now();
    while !matches!(agent.ask(Op::Kill { target: id, signal: 0 }), Outcome::Failed(_)) {
        assert!(gone.elapsed() < Duration::from_secs(20), "the child lives");
    }
}

#[test]
fn every_request_is_answered_exactly_once() {
    let mut agent = Agent::start();
    let spawned = agent.send(Op::Spawn(command(&["sleep", "0.2"])));
    let waits = [(); 3].map(|()| agent.send(Op::Wait { target: spawned }));
    let pings = [(); 3].map(|()| agent.send(Op::Ping));
    assert!(matches!(agent.done(spawned), Outcome::Started { .. }));
    for wait in waits {
        assert_eq!(agent.ended(wait).code, Some(0));
    }
    let late = agent.send(Op::Wait { target: spawned });
    assert_eq!(agent.ended(late).code, Some(0));
    let mut answered: Vec<u64> = agent
        .seen
        .iter()
        .filter_map(|message| match message {
            Message::Done { id, .. } => Some(*id),
            _ => None,
        })
        .collect();
    answered.sort_unstable();
    let asked: Vec<u64> = [spawned].into_iter().chain(waits).chain(pings).chain([late]).collect();
    assert_eq!(answered, asked);
    let exits = agent.seen.iter().filter(|message| matches!(message, Message::Exited { .. }));
    assert_eq!(exits.count(), 1);
}

#[test]
fn many_programs_at_once_keep_their_own_ends() {
    let mut agent = Agent::start();
    let ids: Vec<(u64, i32)> =
        (0..40).map(|code| (agent.send(Op::Run(shell(&format!("exit {code}")))), code)).collect();
    for (id, code) in ids {
        assert_eq!(agent.ended(id).code, Some(code));
    }
}

#[test]
fn what_a_program_leaves_behind_does_not_hold_up_its_end() {
    let mut agent = Agent::start();
    let start = Instant::now();
    let id = agent.send(Op::Run(shell("(sleep 2; echo late) & echo early")));
    assert_eq!(agent.ended(id).code, Some(0));
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(agent.output(id, Stream::Stdout), b"early\n");
    let late = Data::Text("late\n".into());
    agent.until(|message| matches!(message, Message::Output { data, .. } if *data == late));
}

#[test]
fn a_program_whose_output_is_not_read_is_held_back() {
    let mut agent = Agent::start();
    let id = agent.send(Op::Spawn(command(&["yes"])));
    let Outcome::Started { pid } = agent.done(id) else { panic!("not started") };
    // Blocked in write(2), it uses no more CPU time.
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.split_whitespace().nth(13).unwrap().to_owned()
            + stat.split_whitespace().nth(14).unwrap()
    };
    let mut before = ticks();
    let start = Instant::now();
    loop {
        std::thread::sleep(Duration::from_millis(300));
        let after = ticks();
        if after == before {
            break;
        }
        before = after;
        assert!(start.elapsed() < Duration::from_secs(20), "it writes for ever");
    }
    assert_eq!(agent.ask(Op::Kill { target: id, signal: 9 }), Outcome::Ok);
}

#[test]
fn a_line_that_is_no_request_is_said_and_the_next_one_served() {
    let mut agent = Agent::start();
    agent.send_bytes(b"{\"id\":1,\"op\":\"dance\"}\n");
    assert_eq!(agent.ask(Op::Ping), Outcome::Ok);
    let rejected = agent.until(|message| matches!(message, Message::Rejected { .. }));
    assert!(format!("{rejected:?}").contains("dance"), "{rejected:?}");
}

#[test]
fn unknown_targets_are_refused() {
    let mut agent = Agent::start();
    for op in [Op::Wait { target: 77 }, Op::Kill { target: 77, signal: 9 }] {
        assert!(matches!(agent.ask(op), Outcome::Failed(_)));
    }
}

#[test]
fn scheduling_is_set_before_the_program_runs() {
    let mut agent = Agent::start();
    let sched = agent_protocol::Sched {
        policy: Some(agent_protocol::Policy::Batch),
        nice: Some(7),
        ..Default::default()
    };
    let id = agent.send(Op::Run(Command {
        sched: Some(sched),
        oom_score_adj: 321,
        ..shell("cat /proc/self/oom_score_adj; cut -d' ' -f19,41 /proc/self/stat")
    }));
    assert_eq!(agent.ended(id).code, Some(0));
    // proc_pid_stat(5): (19) nice, (41) policy, SCHED_BATCH is 3.
    assert_eq!(agent.output(id, Stream::Stdout), b"321\n7 3\n");
}

#[test]
fn a_program_that_cannot_be_set_up_does_not_run() {
    let mut agent = Agent::start();
    let marker = tempfile::tempdir().unwrap();
    let file = marker.path().join("ran");
    let outcome = agent.ask(Op::Run(Command {
        oom_score_adj: 5000,
        ..command(&["touch", file.to_str().unwrap()])
    }));
    let Outcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
    assert!(failure.message.contains("oom_score_adj to 5000"), "{}", failure.message);
    assert!(!file.exists());
}

#[test]
fn the_agent_ends_with_its_channel() {
    let mut agent = Agent::start();
    assert_eq!(agent.ask(Op::Ping), Outcome::Ok);
    assert_eq!(agent.close(), Some(0));
}

#[test]
fn outside_of_a_guest_power_off_only_ends_the_agent() {
    let mut agent = Agent::start();
    agent.send(Op::PowerOff);
    assert_eq!(agent.close(), Some(0));
}

fn holds(data: &Data, bytes: &[u8]) -> bool {
    data.as_bytes().windows(bytes.len()).any(|part| part == bytes)
}

#[test]
fn a_program_with_a_terminal_is_typed_to_and_sees_its_size() {
    let mut agent = Agent::start();
    // A shell whose `read` the signal interrupts runs the trap and gives up reading: hence the second.
    let script =
        "trap 'stty size' WINCH; tty; stty size; read word; echo got $word; read word || read word";
    let terminal = Some(TerminalSize { rows: 31, columns: 97 });
    let id = agent.send(Op::Run(Command { terminal, ..shell(script) }));
    agent.ask(Op::Type { target: id, data: Data::Text("something\n".into()) });
    agent.until(|message| matches!(message, Message::Output { data, .. } if holds(data, b"got")));
    agent.ask(Op::Resize { target: id, size: TerminalSize { rows: 24, columns: 80 } });
    agent.ask(Op::Type { target: id, data: Data::Text("\n".into()) });
    assert_eq!(agent.ended(id).code, Some(0));
    let told = String::from_utf8(agent.output(id, Stream::Stdout)).unwrap();
    for words in ["/dev/pts/", "31 97", "got something", "24 80"] {
        assert!(told.contains(words), "no {words}: {told}");
    }
    let late = agent.ask(Op::Type { target: id, data: Data::Text("x".into()) });
    assert!(matches!(late, Outcome::Failed(_)), "{late:?}");
}

#[test]
fn a_key_that_interrupts_reaches_the_program_in_the_foreground() {
    let mut agent = Agent::start();
    let terminal = Some(TerminalSize { rows: 24, columns: 80 });
    let id = agent.send(Op::Run(Command { terminal, ..shell("echo ready; exec sleep 1000") }));
    agent.until(|message| matches!(message, Message::Output { .. }));
    agent.ask(Op::Type { target: id, data: Data::Text("\u{3}".into()) });
    assert_eq!(agent.ended(id).signal, Some(2));
}
