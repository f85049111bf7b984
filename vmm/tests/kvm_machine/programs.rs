//! What the guests of these tests run: a few instructions each, entered as a kernel would be.
//!
//! Powering off is a write of 0x34 to port 0x600.

use std::arch::global_asm;

/// Assembles a program, and names the function that gives its bytes.
macro_rules! program {
    ($(#[$doc:meta])* $function:ident, $($line:literal),+ $(,)?) => {
        global_asm!(
            ".pushsection .rodata",
            concat!(".globl test_", stringify!($function)),
            concat!(".globl test_", stringify!($function), "_end"),
            concat!("test_", stringify!($function), ":"),
            $($line,)+
            concat!("test_", stringify!($function), "_end:"),
            ".popsection",
        );
        $(#[$doc])*
        pub fn $function() -> &'static [u8] {
            unsafe extern "C" {
                #[link_name = concat!("test_", stringify!($function))]
                static START: u8;
                #[link_name = concat!("test_", stringify!($function), "_end")]
                static END: u8;
            }
            let length = (&raw const END).addr() - (&raw const START).addr();
            // SAFETY: the assembler laid out the bytes between the two labels in one piece.
            unsafe { std::slice::from_raw_parts(&raw const START, length) }
        }
    };
}

program!(
    /// Prints its data, which starts with its length, on the serial port in one instruction.
    serial,
    "mov rsi, 0x1200000",
    "mov rcx, [rsi]",
    "add rsi, 8",
    "mov dx, 0x3f8",
    "cld",
    "rep outsb",
    "mov dx, 0x600",
    "mov al, 0x34",
    "out dx, al",
);

program!(
    /// Prints its data, which starts with its length, on the early console as the kernel does it.
    early_console,
    "mov rsi, 0x1200000",
    "mov rcx, [rsi]",
    "add rsi, 8",
    "mov ebx, 0xd0100000",
    "2: mov eax, [rbx + 0x14]",
    "test al, 0x20",
    "jz 2b",
    "movzx eax, byte ptr [rsi]",
    "mov [rbx], eax",
    "inc rsi",
    "dec rcx",
    "jnz 2b",
    "mov dx, 0x600",
    "mov al, 0x34",
    "out dx, al",
);

program!(
    /// Entered by PVH, in 32-bit mode: prints the magic of its start info, and powers off.
    pvh,
    ".code32",
    "mov esi, ebx",
    "mov ecx, 4",
    "mov dx, 0x3f8",
    "cld",
    "rep outsb",
    "mov dx, 0x600",
    "mov al, 0x34",
    "out dx, al",
    ".code64",
);

program!(
    /// Writes the words of its data, pairs of address and value, where they say; then waits for its
    /// first data word to change, and powers off. With that it can drive any device.
    write_and_wait,
    "mov rsi, 0x1200000",
    "lea rdi, [rsi + 16]",
    "2: mov rbx, [rdi]",
    "test rbx, rbx",
    "jz 3f",
    "mov eax, [rdi + 8]",
    "mov [rbx], eax",
    "add rdi, 16",
    "jmp 2b",
    "3: mov rbx, [rsi]",
    "4: mov ax, [rbx]",
    "test ax, ax",
    "jz 4b",
    "mov dx, 0x600",
    "mov al, 0x34",
    "out dx, al",
);

program!(
    /// Writes the second byte of its data to the port in the next two, and stays there.
    write_port,
    "mov rsi, 0x1200000",
    "mov dx, [rsi + 2]",
    "mov al, [rsi + 1]",
    "out dx, al",
    "2: jmp 2b",
);

program!(
    /// Counts in RAM, for ever.
    count,
    "mov rsi, 0x1200000",
    "2: inc qword ptr [rsi]",
    "jmp 2b",
);

program!(
    /// Sleeps with interrupts off, for ever.
    sleep,
    "cli",
    "2: hlt",
    "jmp 2b",
);

program!(
    /// Reads memory that is not mapped, without a handler for that.
    fault,
    "mov rax, 0x500000000",
    "mov rax, [rax]",
);

program!(
    /// Jumps to where there is no memory, which KVM cannot emulate.
    lost,
    "mov eax, 0xd0000000",
    "jmp rax",
);

program!(
    /// Prints on the serial port for ever.
    chatter,
    "mov dx, 0x3f8",
    "mov al, 0x78",
    "2: out dx, al",
    "jmp 2b",
);

program!(
    /// Keeps a number that nobody else knows, counts, and reads the clock, as words of its data: the number, the count, the clock,
    /// how often the clock went back. When the fifth word is set, copies it to the sixth, prints number and count on the serial port,
    /// and powers off.
    remember,
    "mov rsi, 0x1200000",
    "rdtsc",
    "shl rdx, 32",
    "or rax, rdx",
    "mov [rsi], rax",
    "mov rbx, rax",
    "2: rdtsc",
    "shl rdx, 32",
    "or rax, rdx",
    "cmp rax, [rsi + 16]",
    "jae 3f",
    "inc qword ptr [rsi + 24]",
    "3: mov [rsi + 16], rax",
    "inc qword ptr [rsi + 8]",
    "mov rax, [rsi + 32]",
    "test rax, rax",
    "jz 2b",
    "mov [rsi + 40], rax",
    "mov [rsi], rbx",
    "mov rcx, 16",
    "mov dx, 0x3f8",
    "cld",
    "rep outsb",
    "mov dx, 0x600",
    "mov al, 0x34",
    "out dx, al",
);

program!(
    /// Prints all byte values on the serial port, one after the other, for ever.
    count_aloud,
    "mov dx, 0x3f8",
    "xor eax, eax",
    "2: out dx, al",
    "inc al",
    "jmp 2b",
);

program!(
    /// Writes words, pairs of address and value in its data behind the first two words, until an address is 0. Then waits for the first
    /// word of its data to be set, writes the pairs that follow, and sets the second word.
    write_wait_write,
    "mov rsi, 0x1200000",
    "lea rdi, [rsi + 16]",
    "2: mov rbx, [rdi]",
    "mov eax, [rdi + 8]",
    "add rdi, 16",
    "test rbx, rbx",
    "jz 3f",
    "mov [rbx], eax",
    "jmp 2b",
    "3: mov rax, [rsi]",
    "test rax, rax",
    "jz 3b",
    "mov qword ptr [rsi], 0",
    "4: mov rbx, [rdi]",
    "mov eax, [rdi + 8]",
    "add rdi, 16",
    "test rbx, rbx",
    "jz 5f",
    "mov [rbx], eax",
    "jmp 4b",
    "5: mov qword ptr [rsi + 8], 1",
    "jmp 3b",
);

program!(
    /// Waits for the first word of its data to be a number, writes to as many pages from 32 MiB on, and sets the second word.
    write_pages,
    "mov rsi, 0x1200000",
    "2: mov rcx, [rsi]",
    "test rcx, rcx",
    "jz 2b",
    "mov edi, 0x2000000",
    "3: mov [rdi], rcx",
    "add rdi, 0x1000",
    "dec rcx",
    "jnz 3b",
    "mov qword ptr [rsi], 0",
    "mov qword ptr [rsi + 8], 1",
    "jmp 2b",
);

program!(
    /// Starts the second processor, as Intel's manual has it (volume 3, section 10.4.4.1): INIT, then twice the page at which it is to
    /// begin, in real mode. There it counts at 0x7000. Then counts itself, in its data.
    two_counters,
    "mov edi, 0x8000",
    "lea rsi, [rip + 4f]",
    // More than it has: what comes behind it is not reached.
    "mov ecx, 64",
    "cld",
    "rep movsb",
    "mov ebx, 0xfee00000",
    "mov dword ptr [rbx + 0x310], 0x1000000",
    "mov dword ptr [rbx + 0x300], 0x4500",
    "mov dword ptr [rbx + 0x300], 0x4608",
    "mov dword ptr [rbx + 0x300], 0x4608",
    "mov rsi, 0x1200000",
    "2: inc qword ptr [rsi]",
    "jmp 2b",
    ".code16",
    "4: xor ax, ax",
    "mov ds, ax",
    "3: inc dword ptr [0x7000]",
    "jmp 3b",
    ".code64",
);
