//! Conversion of ECDSA signatures from the format of a JWS, two numbers of equal length (RFC 7518 §3.4), to DER:
//! `SEQUENCE { r INTEGER, s INTEGER }` (RFC 3279 §2.2.3).

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
/// The first byte of a length that is written in the next byte.
const LONG_FORM: u8 = 0x81;

/// The length of a number of P-521, the largest curve, in bytes.
const MAX_NUMBER: usize = 66;
/// The maximum length of two integers, each with tag, length and a leading zero, in bytes.
const MAX_BODY: usize = 2 * (MAX_NUMBER + 3);

/// A signature in DER, on the stack.
pub(super) struct EcdsaSigValue {
    bytes: [u8; MAX_BODY + 3],
    /// The position of the header. It ends where the body begins, at byte 3.
    start: usize,
    end: usize,
}

impl EcdsaSigValue {
    /// Converts `r ‖ s`. Returns `None` if they are empty, of different lengths, or longer than those of any curve.
    pub(super) fn new(fixed: &[u8]) -> Option<Self> {
        let (r, s) = fixed.split_at_checked(fixed.len() / 2)?;
        if r.len() != s.len() || r.is_empty() || r.len() > MAX_NUMBER {
            return None;
        }
        let mut value = Self { bytes: [0; MAX_BODY + 3], start: 3, end: 3 };
        value.push_integer(r)?;
        value.push_integer(s)?;
        let body = u8::try_from(value.end - value.start).ok()?;
        let header: &[u8] = if body < 0x80 { &[SEQUENCE, body] } else { &[SEQUENCE, LONG_FORM, body] };
        value.start -= header.len();
        value.bytes.get_mut(value.start..3)?.copy_from_slice(header);
        Some(value)
    }

    pub(super) fn as_der(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Appends an integer in its shortest form: without leading zeros, except one if the number would otherwise be negative. Zero
    /// is one byte.
    fn push_integer(&mut self, number: &[u8]) -> Option<()> {
        let zeros = number.iter().take(number.len() - 1).take_while(|byte| **byte == 0).count();
        let digits = number.get(zeros..)?;
        let sign = usize::from(digits.first()? >> 7);
        let end = self.end + 2 + sign + digits.len();
        let field = self.bytes.get_mut(self.end..end)?;
        field[0] = INTEGER;
        field[1] = u8::try_from(sign + digits.len()).ok()?;
        field[2 + sign..].copy_from_slice(digits);
        self.end = end;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(r: &[u8], s: &[u8]) -> Option<Vec<u8>> {
        EcdsaSigValue::new(&[r, s].concat()).map(|value| value.as_der().to_vec())
    }

    #[test]
    fn integers_are_minimal_and_not_negative() {
        assert_eq!(der(&[0, 0, 7], &[0, 0, 0x80]).unwrap(), [0x30, 7, 2, 1, 7, 2, 2, 0, 0x80]);
        assert_eq!(der(&[0, 0, 0], &[0xff, 1, 2]).unwrap(), [0x30, 9, 2, 1, 0, 2, 4, 0, 0xff, 1, 2]);
        assert_eq!(der(&[0, 0x7f], &[0x80, 0]).unwrap(), [0x30, 8, 2, 1, 0x7f, 2, 3, 0, 0x80, 0]);
    }

    #[test]
    fn the_header_has_the_length_that_it_needs() {
        // 60 + 60 + 4 bytes of body still fit the short form, 62 + 62 + 4 do not.
        assert_eq!(der(&[1; 60], &[1; 60]).unwrap()[..4], [0x30, 124, 2, 60]);
        assert_eq!(der(&[1; 62], &[1; 62]).unwrap()[..5], [0x30, 0x81, 128, 2, 62]);
        let longest = der(&[0xff; 66], &[0xff; 66]).unwrap();
        assert_eq!((longest.len(), &longest[..6]), (141, &[0x30, 0x81, 138, 2, 67, 0][..]));
    }

    #[test]
    fn rejects_bytes_that_are_no_pair_of_numbers() {
        assert!(EcdsaSigValue::new(&[1; 132]).is_some());
        for len in [0, 1, 63, 133, 134, 1000] {
            assert!(EcdsaSigValue::new(&vec![1; len]).is_none(), "{len}");
        }
    }
}
