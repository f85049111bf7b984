//! States, policies and flags of tasks in the letters and names of ps(1) and chrt(1).
//!
//! Source: include/linux/sched.h, `task_state_index` and `task_index_to_char`.

const TASK_REPORT: u64 = 0x7f;
const TASK_UNINTERRUPTIBLE: u64 = 0x2;
const TASK_NOLOAD: u64 = 0x400;
const TASK_IDLE: u64 = TASK_UNINTERRUPTIBLE | TASK_NOLOAD;
const TASK_RTLOCK_WAIT: u64 = 0x1000;
const LETTERS: [char; 8] = ['R', 'S', 'D', 'T', 't', 'X', 'Z', 'P'];

/// The letter that `/proc/PID/stat` shows.
pub(super) fn letter(state: u64, exit_state: u64) -> char {
    if state & TASK_IDLE == TASK_IDLE {
        return 'I';
    }
    let reported = if state & TASK_RTLOCK_WAIT != 0 {
        TASK_UNINTERRUPTIBLE
    } else {
        (state | exit_state) & TASK_REPORT
    };
    // The highest bit counts; 0 is running.
    LETTERS[64 - reported.leading_zeros() as usize]
}

/// Scheduling policies, include/uapi/linux/sched.h.
pub(super) fn policy(number: u64) -> &'static str {
    match number {
        0 => "other",
        1 => "fifo",
        2 => "rr",
        3 => "batch",
        5 => "idle",
        6 => "deadline",
        7 => "ext",
        _ => "unknown",
    }
}

/// `PF_KTHREAD`: a kernel thread.
pub(super) const PF_KTHREAD: u64 = 0x0020_0000;

/// CPUs as `/proc/PID/status` lists them: `0-3,5`.
pub(super) fn cpu_list(cpus: &[u32]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut at = 0;
    while at < cpus.len() {
        let run = (at..cpus.len())
            .take_while(|&i| cpus[i] as usize - cpus[at] as usize == i - at)
            .count();
        parts.push(match run {
            1 => cpus[at].to_string(),
            _ => format!("{}-{}", cpus[at], cpus[at + run - 1]),
        });
        at += run;
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_those_of_ps() {
        for (state, exit_state, want) in [
            (0, 0, 'R'),
            (1, 0, 'S'),
            (2, 0, 'D'),
            (0x402, 0, 'I'),
            (0x1000, 0, 'D'),
            (4, 0, 'T'),
            (8, 0, 't'),
            (0x40, 0, 'P'),
            (0x80, 0x20, 'Z'),
            (0x80, 0x10, 'X'),
        ] {
            assert_eq!(letter(state, exit_state), want, "{state:#x} {exit_state:#x}");
        }
    }

    #[test]
    fn cpus_are_listed_in_ranges() {
        assert_eq!(cpu_list(&[0, 1, 2, 5]), "0-2,5");
        assert_eq!(cpu_list(&[7]), "7");
        assert_eq!(cpu_list(&[]), "");
    }
}
