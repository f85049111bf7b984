//! The bytes of a `Code:` line as instructions.
//!
//! x86: 64 bytes, `<>` around the first byte of the trapping instruction (`arch/x86/kernel/dumpstack.c: show_opcodes`);
//! arm64: five words, `()` around the trapping one (`arch/arm64/kernel/traps.c: dump_kernel_instr`).

use iced_x86::{Decoder, DecoderOptions, Formatter, GasFormatter};
use serde::Serialize;
use yaxpeax_arch::{Decoder as _, U8Reader};

/// An instruction of a `Code:` line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Instruction {
    /// Distance from the trapping instruction, in bytes.
    pub offset: i64,
    /// As the assembler writes it.
    pub text: String,
    /// Whether it is the one that trapped.
    pub trapping: bool,
}

/// The instructions of `code`, the words of a `Code:` line; none where no word is marked, or it is cut off.
pub fn disassemble(code: &str) -> Vec<Instruction> {
    let words: Vec<&str> = code.split_whitespace().collect();
    let marked = words.iter().position(|word| word.starts_with(['<', '(']));
    let Some(marked) = marked else { return Vec::new() };
    let digits = |word: &&str| word.trim_matches(['<', '>', '(', ')']).to_owned();
    let digits: Vec<String> = words.iter().map(digits).collect();
    match digits[marked].len() {
        2 => bytes(&digits).map_or_else(Vec::new, |bytes| x86(&bytes, marked)),
        8 => arm64(&digits, marked),
        _ => Vec::new(),
    }
}

fn bytes(digits: &[String]) -> Option<Vec<u8>> {
    digits.iter().map(|digits| u8::from_str_radix(digits, 16).ok()).collect()
}

/// The line begins anywhere, so in front of the mark the first start counts from which an instruction ends there.
fn x86(bytes: &[u8], marked: usize) -> Vec<Instruction> {
    let before = (0..marked).find_map(|from| x86_up_to(bytes, from, marked)).unwrap_or_default();
    let behind = x86_from(bytes, marked, bytes.len(), marked).unwrap_or_default();
    before.into_iter().chain(behind).collect()
}

fn x86_up_to(bytes: &[u8], from: usize, marked: usize) -> Option<Vec<Instruction>> {
    x86_from(bytes, from, marked, marked)
}

/// The instructions from `from` to `to`; none if one is invalid in front of the mark, or does not end at `to`.
fn x86_from(bytes: &[u8], from: usize, to: usize, marked: usize) -> Option<Vec<Instruction>> {
    let mut decoder = Decoder::with_ip(64, &bytes[from..to], 0, DecoderOptions::NONE);
    let mut formatter = GasFormatter::new();
    let mut found = Vec::new();
    while decoder.can_decode() {
        let at = from + decoder.position();
        let instruction = decoder.decode();
        if instruction.is_invalid() {
            // Behind the mark the line is cut anywhere.
            return (from == marked).then_some(found);
        }
        let mut text = String::new();
        formatter.format(&instruction, &mut text);
        found.push(one(at, marked, text));
    }
    Some(found)
}

fn one(at: usize, marked: usize, text: String) -> Instruction {
    let signed = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
    Instruction { offset: signed(at) - signed(marked), text, trapping: at == marked }
}

fn arm64(digits: &[String], marked: usize) -> Vec<Instruction> {
    let decoder = yaxpeax_arm::armv8::a64::InstDecoder::default();
    let decode = |(at, digits): (usize, &String)| {
        let word = u32::from_str_radix(digits, 16).ok()?;
        let bytes = word.to_le_bytes();
        let text = decoder
            .decode(&mut U8Reader::new(&bytes))
            .map_or_else(|_| format!(".inst 0x{word:08x}"), |instruction| instruction.to_string());
        Some(one(at * 4, marked * 4, text))
    };
    digits.iter().enumerate().filter_map(decode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trapping(code: &str) -> String {
        let found = disassemble(code);
        let mut trapping = found.iter().filter(|instruction| instruction.trapping);
        let text = trapping.next().unwrap().text.clone();
        assert_eq!(trapping.next(), None);
        text
    }

    #[test]
    fn the_trapping_instruction_is_marked_on_both_machines() {
        assert_eq!(trapping("48 89 e5 <0f> 0b 5d c3"), "ud2");
        assert_eq!(trapping("d503201f aa0003e1 (f9400000) d65f03c0"), "ldr x0, [x0]");
    }

    #[test]
    fn what_stands_in_front_ends_at_the_mark() {
        let found = disassemble("00 48 89 e5 <0f> 0b");
        assert_eq!(found.last().map(|last| (last.offset, last.trapping)), Some((0, true)));
        assert!(found.iter().all(|instruction| instruction.offset <= 0));
    }

    #[test]
    fn broken_lines_give_nothing_or_less() {
        for code in ["", "Bad RIP value.", "48 89", "<", "<zz> 0b", "(123)"] {
            assert!(disassemble(code).is_empty(), "{code}");
        }
        assert_eq!(disassemble("<0f>").len(), 0);
    }
}
