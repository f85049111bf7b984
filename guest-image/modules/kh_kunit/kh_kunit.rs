// SPDX-License-Identifier: GPL-2.0

//! A suite of the kernel's own KUnit, in Rust, in a module: it runs while the module is loaded, if the
//! command line has `kunit.enable=1 kunit.autorun=1`.

use kernel::macros::kunit_tests;
use kernel::prelude::*;

module! {
    type: Nothing,
    name: "kh_kunit",
    authors: ["kharness"],
    description: "A KUnit suite in Rust",
    license: "GPL",
}

/// All that the module does is to have a suite.
struct Nothing;

impl kernel::Module for Nothing {
    fn init(_: &'static ThisModule) -> Result<Self> {
        Ok(Self)
    }
}

/// The greatest common divisor, by Euclid's algorithm: what the suite tests.
fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 {
        a
    } else {
        gcd(b, a % b)
    }
}

#[kunit_tests(kh_kunit)]
mod tests {
    use super::*;

    #[test]
    fn of_nothing_and_a_number_is_the_number() {
        assert_eq!(gcd(0, 12), 12);
        assert_eq!(gcd(12, 0), 12);
    }

    #[test]
    fn divides_both() {
        for (a, b) in [(12, 18), (7, 13), (1 << 20, 1 << 10)] {
            assert_eq!(a % gcd(a, b), 0);
            assert_eq!(b % gcd(a, b), 0);
        }
    }

    #[test]
    fn vectors_grow() -> Result {
        let mut numbers = KVec::new();
        for number in 0..1000u32 {
            numbers.push(number, GFP_KERNEL)?;
        }
        assert_eq!(numbers.len(), 1000);
        Ok(())
    }
}
