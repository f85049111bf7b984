// SPDX-License-Identifier: GPL-2.0

//! Lines of KTAP: without the module's name in front, at a level that is always printed.

use core::fmt::Arguments;
use kernel::{bindings, ffi::c_void};

/// KERN_INFO, and the format that makes the kernel's printk take the arguments of Rust.
const FORMAT: &core::ffi::CStr = c"\x016%pA\n";

/// Prints one line. What is longer than a line of the log (about 1000 bytes) is cut by the kernel.
pub fn print_line(text: Arguments<'_>) {
    // SAFETY: the format takes one argument, of `%pA`: a pointer to `Arguments`.
    unsafe {
        bindings::_printk(FORMAT.as_ptr().cast(), core::ptr::from_ref(&text).cast::<c_void>());
    }
}

/// Prints a line of KTAP at a depth: four spaces a level, as KUnit does it.
macro_rules! line {
    ($depth:expr, $($text:tt)+) => {
        $crate::print::print_line(core::format_args!(
            "{:1$}{2}", "", $depth * 4, core::format_args!($($text)+)
        ))
    };
}

/// Prints a remark of a test, as a line of KTAP: `note!("took {} rounds", n)`.
#[macro_export]
macro_rules! note {
    ($($text:tt)+) => {
        $crate::print_line(core::format_args!("    # {}", core::format_args!($($text)+)))
    };
}
