//! The machine that the command line asks for, over what scenarios say.

use crate::scenario::Loaded;
use crate::scenario::model::{Arch, Board};

/// Options that choose the machine.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct MachineChoice {
    /// Architecture of the guests [default: what the scenario says, else x86-64]
    #[arg(long, value_name = "ARCH")]
    arch: Option<Arch>,
    /// Board of the guests, which are aarch64 then
    #[arg(long, value_name = "BOARD")]
    board: Option<Board>,
}

impl MachineChoice {
    /// Puts all of `scenarios` on the machine. What does not fit on it is skipped when it is its turn
    /// ([`super::unmet`]).
    ///
    /// # Errors
    /// When the options contradict each other.
    pub fn apply(self, scenarios: &mut [Loaded]) -> Result<(), String> {
        let arch = match (self.arch, self.board) {
            (None, None) => return Ok(()),
            (Some(Arch::X86_64), Some(board)) => {
                return Err(format!("--board {board} is a board of aarch64, not of x86-64"));
            }
            (_, Some(_)) => Arch::Aarch64,
            (Some(arch), None) => arch,
        };
        for loaded in scenarios {
            let machine = &mut loaded.scenario.machine;
            // A scenario that names a board of this architecture keeps it.
            machine.board = self.board.or(machine.board.filter(|_| arch == machine.arch));
            machine.arch = arch;
            let _ = machine.fit_to_board();
        }
        Ok(())
    }

    /// The options again, for a line that repeats the run.
    pub fn words(self) -> Vec<String> {
        let arch = self.arch.map(|arch| ["--arch".to_owned(), arch.to_string()]);
        let board = self.board.map(|board| ["--board".to_owned(), board.to_string()]);
        arch.into_iter().chain(board).flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::built_in;
    use crate::scenario::units::Size;

    fn on(board: Option<Board>, arch: Option<Arch>, machine: &str) -> Loaded {
        let text = format!("{{machine: {machine}, steps: [{{shell: 'true'}}]}}");
        let text: &'static str = Box::leak(text.into_boxed_str());
        let mut loaded = vec![built_in("x", text).unwrap()];
        MachineChoice { arch, board }.apply(&mut loaded).unwrap();
        loaded.remove(0)
    }

    #[test]
    fn what_a_scenario_leaves_open_is_the_board_s_and_what_it_states_stays() {
        let open = on(Some(Board::Raspi3b), None, "{}").scenario.machine;
        assert_eq!((open.cpus, open.memory), (4, Size::mebibytes(1024)));
        let stated = on(Some(Board::Raspi3b), None, "{cpus: 1, memory: 64MiB}").scenario.machine;
        assert_eq!((stated.cpus, stated.memory), (1, Size::mebibytes(64)));
    }

    #[test]
    fn a_scenario_with_a_board_keeps_it_on_its_architecture_only() {
        let board = |arch| on(None, Some(arch), "{board: raspi3b}").scenario.machine.board;
        assert_eq!(board(Arch::Aarch64), Some(Board::Raspi3b));
        assert_eq!(board(Arch::X86_64), None);
    }

    #[test]
    fn a_board_of_the_other_architecture_is_refused() {
        let choice = MachineChoice { arch: Some(Arch::X86_64), board: Some(Board::Virt) };
        assert!(choice.apply(&mut []).unwrap_err().contains("board of aarch64"));
    }
}
