// SPDX-License-Identifier: GPL-2.0

//! Checks: what does not hold is printed, with both sides, and ends the test.

use core::fmt::{Arguments, Debug};

/// Prints what did not hold, and where.
#[doc(hidden)]
pub fn report(file: &str, line: u32, what: Arguments<'_>) {
    note!("{}:{}: {}", file, line, what);
}

/// Prints the two sides of a comparison that did not hold.
#[doc(hidden)]
pub fn report_sides(left: &dyn Debug, right: &dyn Debug) {
    note!("   left: {:?}", left);
    note!("  right: {:?}", right);
}

/// Fails the test unless the condition is true: `check!(n > 3)`, `check!(ok, "after {} rounds", n)`.
#[macro_export]
macro_rules! check {
    ($condition:expr $(,)?) => {
        $crate::check!($condition, "it is false")
    };
    ($condition:expr, $($why:tt)+) => {
        if !$condition {
            $crate::report(file!(), line!(), core::format_args!(
                "check!({}): {}", stringify!($condition), core::format_args!($($why)+)
            ));
            return Err($crate::Stop::Fail);
        }
    };
}

/// Fails the test unless both sides are equal, and prints them: `check_eq!(sum, 10)`.
#[macro_export]
macro_rules! check_eq {
    ($left:expr, $right:expr $(,)?) => {
        match (&$left, &$right) {
            (left, right) => {
                if !(*left == *right) {
                    $crate::report(file!(), line!(), core::format_args!(
                        "check_eq!({}, {})", stringify!($left), stringify!($right)
                    ));
                    $crate::report_sides(left, right);
                    return Err($crate::Stop::Fail);
                }
            }
        }
    };
}

/// Fails the test if both sides are equal.
#[macro_export]
macro_rules! check_ne {
    ($left:expr, $right:expr $(,)?) => {
        match (&$left, &$right) {
            (left, right) => {
                if *left == *right {
                    $crate::report(file!(), line!(), core::format_args!(
                        "check_ne!({}, {})", stringify!($left), stringify!($right)
                    ));
                    $crate::report_sides(left, right);
                    return Err($crate::Stop::Fail);
                }
            }
        }
    };
}
