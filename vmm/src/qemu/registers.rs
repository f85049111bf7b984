//! Registers out of the text of QEMU's `info registers`.

use crate::Registers;

/// What is read of an Arm vCPU, in the order in which the kernel prints it.
const ARM: [&str; 34] = [
    "PC", "X30", "SP", "X29", "X28", "X27", "X26", "X25", "X24", "X23", "X22", "X21", "X20", "X19",
    "X18", "X17", "X16", "X15", "X14", "X13", "X12", "X11", "X10", "X09", "X08", "X07", "X06",
    "X05", "X04", "X03", "X02", "X01", "X00", "PSTATE",
];

/// What is read of an x86 vCPU, in the order in which the kernel prints it.
const X86: [&str; 23] = [
    "RIP", "RSP", "RFL", "RAX", "RBX", "RCX", "RDX", "RSI", "RDI", "RBP", "R8", "R9", "R10", "R11",
    "R12", "R13", "R14", "R15", "CR0", "CR2", "CR3", "CR4", "EFER",
];

/// The registers that `text` states; one that is missing there is missing in the result.
pub(super) fn parse(text: &str) -> Registers {
    X86.iter().chain(&ARM).filter_map(|&name| Some((name, find(text, name)?))).collect()
}

fn find(text: &str, name: &str) -> Option<u64> {
    // x86: "R8 =0000000000000000 R9 =…", padded to three columns. Arm: " PC=…" is not.
    let word = if ARM.contains(&name) { format!("{name}=") } else { format!("{name:<3}=") };
    let at = text.match_indices(&word).map(|(at, _)| at).find(|&at| starts_word(text, at))?;
    let digits = text[at + word.len()..].split(|c: char| !c.is_ascii_hexdigit()).next()?;
    u64::from_str_radix(digits, 16).ok()
}

fn starts_word(text: &str, at: usize) -> bool {
    at == 0 || text.as_bytes()[at - 1].is_ascii_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arm_cpu_s_registers_are_read_by_their_own_names() {
        let text = "\r\nCPU#0\r\n PC=ffff800080010a4c X00=0000000000000001 X01=ffff0000c0a1b2c3\r\n\
                    X29=ffff800081e33d70 X30=ffff800080010a48  SP=ffff800081e33d70\r\n\
                    PSTATE=600000c5 -ZC- NS EL1h     FPU disabled\r\n";
        let registers = parse(text);
        let value =
            |name| registers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        assert_eq!(value("PC"), Some(0xffff_8000_8001_0a4c));
        assert_eq!(value("SP"), Some(0xffff_8000_81e3_3d70));
        assert_eq!(value("X01"), Some(0xffff_0000_c0a1_b2c3));
        assert_eq!(value("PSTATE"), Some(0x6000_00c5));
        assert_eq!(value("RIP"), None);
    }

    #[test]
    fn every_register_of_an_emulated_cpu_is_read() {
        let text = "RAX=0000000000000001 RBX=0000000000000000 RCX=0000000000000000 RDX=0000000000000000\r\n\
                    R8 =00000000000000ff R9 =0000000000000000 R10=0000000000000000 R11=0000000000000000\r\n\
                    RIP=ffffffff81e0bd6e RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1\r\n\
                    CR0=80050033 CR2=0000000000000000 CR3=000000000260a000 CR4=000006f0\r\n\
                    EFER=0000000000000d01\r\n";
        let registers = parse(text);
        let value =
            |name| registers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        assert_eq!(value("RIP"), Some(0xffff_ffff_81e0_bd6e));
        assert_eq!(value("R8"), Some(0xff));
        assert_eq!(value("RFL"), Some(0x246));
        assert_eq!(value("CR3"), Some(0x260_a000));
        assert_eq!(value("EFER"), Some(0xd01));
        assert_eq!(value("R15"), None);
    }
}
