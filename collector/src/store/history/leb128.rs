//! Whole numbers in as few bytes as they need (LEB128).

/// Maps numbers without much of a value, of either sign, to small ones without a sign.
pub(super) const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

/// Maps back what [`zigzag`] has mapped.
pub(super) const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

/// Appends a number.
pub(super) fn push(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes a number from the begin; `None` where there is none.
pub(super) fn take(rest: &mut &[u8]) -> Option<u64> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
        shift += 7;
        if shift > 63 {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_read_as_they_were_written(
            numbers in prop::collection::vec((any::<i64>(), 0u32..64), 0..50),
        ) {
            let numbers: Vec<i64> = numbers.iter().map(|(number, bits)| number >> bits).collect();
            let mut bytes = Vec::new();
            numbers.iter().for_each(|number| push(&mut bytes, zigzag(*number)));
            let mut rest = &bytes[..];
            for number in numbers {
                prop_assert_eq!(take(&mut rest).map(unzigzag), Some(number));
            }
            prop_assert_eq!(take(&mut rest), None);
        }
    }
}
