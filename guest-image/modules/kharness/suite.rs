// SPDX-License-Identifier: GPL-2.0

//! A suite: runs its tests, and prints KTAP version 1 with the module's name as the suite's
//! (the kernel's Documentation/dev-tools/ktap.rst).

use core::fmt::Display;
use kernel::prelude::*;

use crate::case::{Outcome, Stop, Test};
use crate::params;
use crate::thread::Thread;

/// A test of a suite.
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub run: fn(&Test) -> Outcome,
}

/// All tests of a module.
pub struct Suite {
    /// The module's name.
    pub name: &'static str,
    /// Its tests, in the order in which they run.
    pub cases: &'static [Case],
}

/// A suite that runs or has run; dropping it waits for its end.
pub struct Running(Option<Thread>);

impl Suite {
    /// Runs the suite: to its end, or, with `background=1`, in a thread.
    ///
    /// # Errors
    /// When there is no test of the name that the parameter `test` states.
    pub fn start(&'static self) -> Result<Running> {
        let wanted = params::test();
        if let Some(name) = wanted {
            self.expect(name)?;
        }
        if params::background() {
            return Ok(Running(Some(Thread::spawn(move |_| self.run(wanted))?)));
        }
        // What failed was printed; the module stays loaded all the same, as KUnit's do.
        let _ = self.run(wanted);
        Ok(Running(None))
    }

    fn expect(&self, name: &str) -> Result {
        if self.cases.iter().any(|case| case.name == name) {
            return Ok(());
        }
        pr_err!("{}: no test {}; its tests:\n", self.name, name);
        for case in self.cases {
            pr_err!("{}:   {}\n", self.name, case.name);
        }
        Err(EINVAL)
    }

    fn run(&self, wanted: Option<&str>) -> Outcome {
        let chosen = || self.cases.iter().filter(|case| wanted.is_none_or(|name| case.name == name));
        line!(0, "KTAP version 1");
        line!(0, "1..1");
        // A remark belongs to the next result: this one to the suite, not to its first test.
        line!(0, "# seed: {}", params::seed());
        line!(1, "KTAP version 1");
        line!(1, "# Subtest: {}", self.name);
        line!(1, "1..{}", chosen().count());
        let mut totals = Totals::default();
        for (index, case) in chosen().enumerate() {
            let test = Test::new(case.name, params::seed(), 1);
            totals.count(conclude(1, index + 1, case.name, (case.run)(&test)));
        }
        let outcome = totals.outcome();
        conclude(0, 1, self.name, outcome)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // Its outcome was printed.
            let _ = thread.join();
        }
    }
}

/// How many tests ended how.
#[derive(Default)]
pub(crate) struct Totals {
    failed: usize,
}

impl Totals {
    pub(crate) fn count(&mut self, outcome: Outcome) {
        if matches!(outcome, Err(Stop::Fail | Stop::Refused(_))) {
            self.failed += 1;
        }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        if self.failed == 0 { Ok(()) } else { Err(Stop::Fail) }
    }
}

/// Prints the line of a test's result.
pub(crate) fn conclude(
    depth: usize,
    number: usize,
    name: impl Display,
    outcome: Outcome,
) -> Outcome {
    match outcome {
        Ok(()) => line!(depth, "ok {} {}", number, name),
        Err(Stop::Skip(why)) => line!(depth, "ok {} {} # SKIP {}", number, name, why),
        Err(Stop::Xfail(why)) => line!(depth, "not ok {} {} # XFAIL {}", number, name, why),
        Err(Stop::Fail) => line!(depth, "not ok {} {}", number, name),
        Err(Stop::Refused(error)) => {
            line!(depth, "# the kernel refused something: {:?}", error);
            line!(depth, "not ok {} {}", number, name);
        }
    }
    outcome
}

/// Makes a module of tests: its name, what it is for, the parameters it has beside those of every
/// suite, and the functions that are its tests.
#[macro_export]
macro_rules! suite {
    (
        name: $name:tt,
        description: $description:tt,
        $(params: { $($params:tt)* },)?
        tests: [$($test:ident),+ $(,)?] $(,)?
    ) => {
        ::kernel::prelude::module! {
            type: KharnessModule,
            name: $name,
            authors: ["kharness"],
            description: $description,
            license: "GPL",
            $(params: { $($params)* },)?
        }

        struct KharnessModule {
            _running: $crate::Running,
        }

        impl ::kernel::Module for KharnessModule {
            fn init(_module: &'static ::kernel::ThisModule) -> ::kernel::error::Result<Self> {
                static SUITE: $crate::Suite = $crate::Suite {
                    name: $name,
                    cases: &[$($crate::Case { name: stringify!($test), run: $test }),+],
                };
                Ok(Self { _running: SUITE.start()? })
            }
        }
    };
}
