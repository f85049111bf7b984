//! The last resort: everything on a stack that could be a return address.

use std::ops::Range;

use super::frames::{Frame, Method, Stack};
use super::unwind::{Cursor, MAX_FRAMES};
use crate::Address;
use crate::kernel::Kernel;

/// Lists the words from the stack pointer to the stack's end that point behind an instruction in kernel
/// code. Some of them are left from calls that returned long ago.
pub(super) fn scan(kernel: &Kernel, start: &Cursor, stack: Range<u64>) -> Stack {
    let first =
        Frame { address: Address(start.ip), symbol: kernel.return_symbol(start.ip, start.exact) };
    let bytes = kernel.space().image(start.sp.max(stack.start)..stack.end);
    let words = bytes.chunks_exact(8).map(crate::bytes::unsigned);
    let rest = words
        .filter(|word| is_return_address(kernel, *word))
        .map(|word| Frame { address: Address(word), symbol: kernel.return_symbol(word, false) });
    Stack {
        method: Method::Scan,
        frames: std::iter::once(first).chain(rest).take(MAX_FRAMES).collect(),
        from_user: false,
        broke: None,
    }
}

/// Whether a word points into a function, and not at its first instruction: nothing returns there.
fn is_return_address(kernel: &Kernel, word: u64) -> bool {
    word >> 63 != 0
        && kernel.locate(word).is_some_and(|(location, _)| {
            location.offset > 0 && location.symbol.kind.eq_ignore_ascii_case(&'t')
        })
}
