//! LZO1X: unpacks a page.
//!
//! Source: the format as the kernel's Documentation/staging/lzo.rst describes it.

use crate::bytes::u16_at;

/// What runs of literals and long distances are added to.
const FIRST_LITERALS: u8 = 17;
const FAR: usize = 2049;
const FARTHEST: usize = 16384;
/// The state after a run of four literals or more.
const MANY: usize = 4;

/// The page of at most `limit` bytes that `content` is.
///
/// # Errors
/// What is wrong with it.
pub(super) fn unpack(content: &[u8], limit: usize) -> Result<Vec<u8>, &'static str> {
    let mut stream = Stream { content, at: 0, page: Vec::with_capacity(limit), limit };
    let mut state = 0;
    // The first byte may be the length of a run of literals.
    if let Some(count) = content.first().and_then(|first| first.checked_sub(FIRST_LITERALS))
        && count > 0
    {
        stream.at = 1;
        stream.literals(count.into())?;
        state = usize::from(count).min(MANY);
    }
    loop {
        state = match stream.instruction(state)? {
            Instruction::Literals(count) => {
                stream.literals(count)?;
                MANY
            }
            Instruction::Match { length, distance, then } => {
                stream.repeat(length, distance)?;
                stream.literals(then)?;
                then
            }
            Instruction::End if stream.at == content.len() => return Ok(stream.page),
            Instruction::End => return Err("the stream ends before its bytes do"),
        };
    }
}

enum Instruction {
    Literals(usize),
    /// Bytes that were there already, and how many literals follow.
    Match {
        length: usize,
        distance: usize,
        then: usize,
    },
    End,
}

struct Stream<'a> {
    content: &'a [u8],
    at: usize,
    page: Vec<u8>,
    limit: usize,
}

impl Stream<'_> {
    fn byte(&mut self) -> Result<usize, &'static str> {
        let byte = self.content.get(self.at).ok_or("the stream has no end")?;
        self.at += 1;
        Ok((*byte).into())
    }

    fn word(&mut self) -> Result<usize, &'static str> {
        let word = u16_at(self.content, self.at).ok_or("the stream has no end")?;
        self.at += 2;
        Ok(word.into())
    }

    /// The next instruction; `state` is how many literals came after the last one.
    fn instruction(&mut self, state: usize) -> Result<Instruction, &'static str> {
        let code = self.byte()?;
        let near = |length, high: usize, base| Instruction::Match {
            length,
            distance: (high << 2) + (code >> 2 & 3) + base,
            then: code & 3,
        };
        Ok(match (code, state) {
            (0..16, 0) => Instruction::Literals(3 + self.length(code, 15)?),
            (0..16, MANY) => near(3, self.byte()?, FAR),
            (0..16, _) => near(2, self.byte()?, 1),
            (16..32, _) => {
                let length = 2 + self.length(code & 7, 7)?;
                let word = self.word()?;
                let distance = FARTHEST + ((code & 8) << 11) + (word >> 2);
                if distance == FARTHEST {
                    return Ok(Instruction::End);
                }
                Instruction::Match { length, distance, then: word & 3 }
            }
            (32..64, _) => {
                let length = 2 + self.length(code & 31, 31)?;
                let word = self.word()?;
                Instruction::Match { length, distance: (word >> 2) + 1, then: word & 3 }
            }
            _ => {
                let length = if code < 128 { 3 + (code >> 5 & 1) } else { 5 + (code >> 5 & 3) };
                let distance = (self.byte()? << 3) + (code >> 2 & 7) + 1;
                Instruction::Match { length, distance, then: code & 3 }
            }
        })
    }

    /// A length that is in the instruction, or in what follows: `most`, 255 for every zero, and the byte that
    /// is none.
    fn length(&mut self, short: usize, most: usize) -> Result<usize, &'static str> {
        if short != 0 {
            return Ok(short);
        }
        let mut length = most;
        loop {
            match self.byte()? {
                0 if length > self.limit => return Err("more bytes than a page has"),
                0 => length += 255,
                last => return Ok(length + last),
            }
        }
    }

    fn literals(&mut self, count: usize) -> Result<(), &'static str> {
        let end = self.at.checked_add(count).ok_or("the stream has no end")?;
        let bytes = self.content.get(self.at..end).ok_or("the stream has no end")?;
        self.fits(count)?;
        self.page.extend_from_slice(bytes);
        self.at = end;
        Ok(())
    }

    /// Copies from what was unpacked; the copy may be of what it writes itself.
    fn repeat(&mut self, length: usize, distance: usize) -> Result<(), &'static str> {
        let start = self.page.len().checked_sub(distance).ok_or("a copy from before the page")?;
        self.fits(length)?;
        (start..start + length).for_each(|from| self.page.push(self.page[from]));
        Ok(())
    }

    fn fits(&self, more: usize) -> Result<(), &'static str> {
        match self.page.len() + more <= self.limit {
            true => Ok(()),
            false => Err("more bytes than a page has"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages that make the packer use every kind of instruction: text, runs, noise, and far repeats.
    fn pages() -> Vec<Vec<u8>> {
        let mut state = 0x9e37_79b9_u32;
        let mut noise = move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            u8::try_from(state >> 24).unwrap()
        };
        let random: Vec<u8> = (0..65536).map(|_| noise()).collect();
        let mut far = random[..40000].to_vec();
        far.extend_from_within(100..9000);
        far.extend_from_within(39000..40000);
        far.extend_from_within(37500..37503);
        let words: Vec<u8> = (0..16384).map(|at| random[at % 97 + at / 500] % 7).collect();
        let sparse: Vec<u8> =
            (0..65536).map(|at| if at % 611 == 0 { random[at] } else { 0 }).collect();
        vec![vec![7], vec![0; 4096], random, far, words, sparse]
    }

    #[test]
    fn what_another_packer_wrote_is_unpacked() {
        for page in pages() {
            let packed = lzokay_native::compress(&page).unwrap();
            assert_eq!(unpack(&packed, page.len()).as_deref(), Ok(&page[..]), "{}", page.len());
        }
    }

    #[test]
    fn damage_never_makes_more_than_a_page() {
        for page in pages() {
            let packed = lzokay_native::compress(&page).unwrap();
            for at in (0..packed.len()).step_by(packed.len() / 300 + 1) {
                for flip in [1, 0x10, 0x80, 0xff] {
                    let mut damaged = packed.clone();
                    damaged[at] ^= flip;
                    let longest = unpack(&damaged, page.len()).map_or(0, |it| it.len());
                    assert!(longest <= page.len(), "{at}");
                }
                assert!(unpack(&packed[..at], page.len()).is_err(), "{at}");
            }
        }
    }
}
