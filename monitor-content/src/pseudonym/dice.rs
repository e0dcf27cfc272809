//! Choices that depend on a key and a text, and look random to who has not the key.

/// A keyed function of a text, such as HMAC-SHA256.
pub type Keyed<'k> = &'k dyn Fn(&[u8]) -> [u8; 32];

/// A stream of choices.
pub(super) struct Dice<'k> {
    keyed: Keyed<'k>,
    /// What is hashed: a counter, then what the choices are about.
    input: Vec<u8>,
    counter: u32,
    block: [u8; 32],
    used: usize,
}

impl<'k> Dice<'k> {
    /// The choices of one attempt to find what stands for `original`.
    pub(super) fn new(keyed: Keyed<'k>, detector: &str, original: &str, attempt: u32) -> Self {
        let mut input = vec![0; 4];
        input.extend_from_slice(&attempt.to_le_bytes());
        for part in [detector, original] {
            input.extend_from_slice(&(part.len() as u64).to_le_bytes());
            input.extend_from_slice(part.as_bytes());
        }
        Self {
            keyed,
            input,
            counter: 0,
            block: [0; 32],
            used: 32,
        }
    }

    /// A number under `n`; 0 where `n` is.
    pub(super) fn below(&mut self, n: u32) -> u32 {
        let mut bytes = [0; 4];
        for byte in &mut bytes {
            *byte = self.byte();
        }
        // That small numbers are likelier by one in four thousand million makes no difference.
        u32::from_le_bytes(bytes).checked_rem(n).unwrap_or(0)
    }

    /// One of these.
    pub(super) fn pick<'t, T>(&mut self, of: &'t [T]) -> Option<&'t T> {
        of.get(self.below(u32::try_from(of.len()).unwrap_or(u32::MAX)) as usize)
    }

    /// A decimal digit.
    pub(super) fn digit(&mut self) -> char {
        char::from_digit(self.below(10), 10).unwrap_or('0')
    }

    /// Another character of the same kind; what is neither letter nor digit stays.
    pub(super) fn like(&mut self, original: char) -> char {
        let letter =
            |dice: &mut Self, first: u8| char::from(first + u8::try_from(dice.below(26)).unwrap_or(0));
        match original {
            '0'..='9' => self.digit(),
            'a'..='z' => letter(self, b'a'),
            'A'..='Z' => letter(self, b'A'),
            other => other,
        }
    }

    fn byte(&mut self) -> u8 {
        if self.used == self.block.len() {
            if let Some(counter) = self.input.get_mut(..4) {
                counter.copy_from_slice(&self.counter.to_le_bytes());
            }
            self.block = (self.keyed)(&self.input);
            self.counter += 1;
            self.used = 0;
        }
        self.used += 1;
        self.block.get(self.used - 1).copied().unwrap_or(0)
    }
}
