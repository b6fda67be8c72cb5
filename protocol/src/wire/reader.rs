//! Reading, one strict step at a time.

use rmp::Marker;

use super::{DecodeError, UntrustedText};
use crate::limits::{DEPTH_MAX, ELEMENTS_MAX};

#[derive(Clone)]
pub(crate) struct BodyReader<'a> {
    rest: &'a [u8],
    depth: usize,
}

impl<'a> BodyReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, depth: 0 }
    }

    /// Reads the one array that a body is: `read` takes its known fields from [`ArrayFields`]; what is
    /// left of them is checked and skipped, and nothing may follow.
    #[inline]
    pub(crate) fn body<T>(
        mut self,
        read: impl FnOnce(&mut ArrayFields<'_, 'a>) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let value = self.array(ELEMENTS_MAX, read)?;
        if self.rest.is_empty() { Ok(value) } else { Err(DecodeError::Trailing) }
    }

    /// Reads an array of at most `most` elements.
    #[inline]
    pub(crate) fn array<T>(
        &mut self,
        most: u32,
        read: impl FnOnce(&mut ArrayFields<'_, 'a>) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let left = match self.marker()? {
            Marker::FixArray(len) => u32::from(len),
            Marker::Array16 => u32::from(u16::from_be_bytes(self.take()?)),
            Marker::Array32 => u32::from_be_bytes(self.take()?),
            _ => return Err(DecodeError::WrongType),
        };
        self.enter(left, most)?;
        let mut fields = ArrayFields { reader: self, left };
        let value = read(&mut fields)?;
        while fields.left > 0 {
            fields.left -= 1;
            fields.reader.skip()?;
        }
        self.depth -= 1;
        Ok(value)
    }

    /// Reads a map of at most `most` pairs; `read` is called with each key, and no key twice.
    pub(crate) fn map(
        &mut self,
        most: u32,
        mut read: impl FnMut(&'a str, &mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let marker = self.marker()?;
        let len = self.map_len(marker)?;
        self.enter(len, most)?;
        // Maps are short: looking through the keys again costs less than a set.
        let mut keys: [&str; ELEMENTS_MAX as usize] = [""; ELEMENTS_MAX as usize];
        for n in 0..len as usize {
            let key = self.str(usize::MAX)?;
            if keys[..n].contains(&key) {
                return Err(DecodeError::DuplicateKey);
            }
            keys[n] = key;
            read(key, self)?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads an unsigned integer in any of its encodings.
    #[inline]
    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        // Most are small, and stand in their marker.
        match self.rest.split_first() {
            Some((&byte, rest)) if byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(byte))
            }
            _ => self.large_u64(),
        }
    }

    fn large_u64(&mut self) -> Result<u64, DecodeError> {
        match self.marker()? {
            Marker::FixPos(value) => Ok(u64::from(value)),
            Marker::U8 => Ok(u64::from(u8::from_be_bytes(self.take()?))),
            Marker::U16 => Ok(u64::from(u16::from_be_bytes(self.take()?))),
            Marker::U32 => Ok(u64::from(u32::from_be_bytes(self.take()?))),
            Marker::U64 => Ok(u64::from_be_bytes(self.take()?)),
            // Some encoders write small positive numbers as signed ones.
            Marker::I8 => non_negative(i64::from(i8::from_be_bytes(self.take()?))),
            Marker::I16 => non_negative(i64::from(i16::from_be_bytes(self.take()?))),
            Marker::I32 => non_negative(i64::from(i32::from_be_bytes(self.take()?))),
            Marker::I64 => non_negative(i64::from_be_bytes(self.take()?)),
            Marker::FixNeg(_) => Err(DecodeError::OutOfRange),
            _ => Err(DecodeError::WrongType),
        }
    }

    /// Reads an unsigned integer up to `most`.
    pub(crate) fn u64_up_to(&mut self, most: u64) -> Result<u64, DecodeError> {
        let value = self.u64()?;
        if value <= most { Ok(value) } else { Err(DecodeError::OutOfRange) }
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.u64()?).map_err(|_| DecodeError::OutOfRange)
    }

    pub(crate) fn bool(&mut self) -> Result<bool, DecodeError> {
        match self.marker()? {
            Marker::True => Ok(true),
            Marker::False => Ok(false),
            _ => Err(DecodeError::WrongType),
        }
    }

    /// Reads a text of at most `most` bytes.
    pub(crate) fn text(&mut self, most: usize) -> Result<UntrustedText<'a>, DecodeError> {
        self.str(most).map(UntrustedText)
    }

    pub(crate) fn str(&mut self, most: usize) -> Result<&'a str, DecodeError> {
        let marker = self.marker()?;
        let len = self.str_len(marker)?;
        if len > most {
            return Err(DecodeError::TooLong);
        }
        std::str::from_utf8(self.bytes(len)?).map_err(|_| DecodeError::NotUtf8)
    }

    pub(crate) fn bin(&mut self, most: usize) -> Result<&'a [u8], DecodeError> {
        let marker = self.marker()?;
        let len = self.bin_len(marker)?;
        if len > most { Err(DecodeError::TooLong) } else { self.bytes(len) }
    }

    /// Takes a nil if one is next.
    #[inline]
    pub(crate) fn nil(&mut self) -> bool {
        let is_nil = self.rest.first() == Some(&0xc0);
        if is_nil {
            self.rest = &self.rest[1..];
        }
        is_nil
    }

    /// Checks and skips one value of any type that a newer version may have added.
    pub(crate) fn skip(&mut self) -> Result<(), DecodeError> {
        let mut here = self.clone();
        match here.marker()? {
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
                self.array(ELEMENTS_MAX, |_| Ok(()))
            }
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
                self.map(ELEMENTS_MAX, |_, reader| reader.skip())
            }
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                self.str(usize::MAX).map(drop)
            }
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => self.bin(usize::MAX).map(drop),
            Marker::Null | Marker::True | Marker::False | Marker::FixPos(_) | Marker::FixNeg(_) => {
                *self = here;
                Ok(())
            }
            Marker::U8 | Marker::I8 => self.leave_out(here, 1),
            Marker::U16 | Marker::I16 => self.leave_out(here, 2),
            Marker::U32 | Marker::I32 => self.leave_out(here, 4),
            Marker::U64 | Marker::I64 => self.leave_out(here, 8),
            Marker::F32 => {
                let value = f32::from_be_bytes(here.take()?);
                *self = here;
                if value.is_finite() { Ok(()) } else { Err(DecodeError::NotFinite) }
            }
            Marker::F64 => {
                let value = f64::from_be_bytes(here.take()?);
                *self = here;
                if value.is_finite() { Ok(()) } else { Err(DecodeError::NotFinite) }
            }
            _ => Err(DecodeError::WrongType),
        }
    }

    fn leave_out(&mut self, mut after_marker: Self, len: usize) -> Result<(), DecodeError> {
        after_marker.bytes(len)?;
        *self = after_marker;
        Ok(())
    }

    fn enter(&mut self, len: u32, most: u32) -> Result<(), DecodeError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(DecodeError::TooDeep);
        }
        if len > most.min(ELEMENTS_MAX) { Err(DecodeError::TooMany) } else { Ok(()) }
    }

    fn map_len(&mut self, marker: Marker) -> Result<u32, DecodeError> {
        match marker {
            Marker::FixMap(len) => Ok(u32::from(len)),
            Marker::Map16 => Ok(u32::from(u16::from_be_bytes(self.take()?))),
            Marker::Map32 => Ok(u32::from_be_bytes(self.take()?)),
            _ => Err(DecodeError::WrongType),
        }
    }

    fn str_len(&mut self, marker: Marker) -> Result<usize, DecodeError> {
        match marker {
            Marker::FixStr(len) => Ok(usize::from(len)),
            Marker::Str8 => Ok(usize::from(u8::from_be_bytes(self.take()?))),
            Marker::Str16 => Ok(usize::from(u16::from_be_bytes(self.take()?))),
            Marker::Str32 => Ok(u32::from_be_bytes(self.take()?) as usize),
            _ => Err(DecodeError::WrongType),
        }
    }

    fn bin_len(&mut self, marker: Marker) -> Result<usize, DecodeError> {
        match marker {
            Marker::Bin8 => Ok(usize::from(u8::from_be_bytes(self.take()?))),
            Marker::Bin16 => Ok(usize::from(u16::from_be_bytes(self.take()?))),
            Marker::Bin32 => Ok(u32::from_be_bytes(self.take()?) as usize),
            _ => Err(DecodeError::WrongType),
        }
    }

    fn marker(&mut self) -> Result<Marker, DecodeError> {
        let (&byte, rest) = self.rest.split_first().ok_or(DecodeError::CutOff)?;
        self.rest = rest;
        Ok(Marker::from_u8(byte))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(DecodeError::CutOff)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn bytes(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(DecodeError::CutOff)?;
        self.rest = rest;
        Ok(taken)
    }
}

fn non_negative(value: i64) -> Result<u64, DecodeError> {
    u64::try_from(value).map_err(|_| DecodeError::OutOfRange)
}

/// The fields of an array, in order. A field that is missing at the end, or nil, has its default.
pub(crate) struct ArrayFields<'r, 'a> {
    reader: &'r mut BodyReader<'a>,
    left: u32,
}

impl<'a> ArrayFields<'_, 'a> {
    /// How many fields are left.
    pub(crate) fn left(&self) -> u32 {
        self.left
    }

    /// The next field, which must be there.
    #[inline]
    pub(crate) fn required<T>(
        &mut self,
        read: impl FnOnce(&mut BodyReader<'a>) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        if self.left == 0 {
            return Err(DecodeError::Missing);
        }
        self.left -= 1;
        read(self.reader)
    }

    /// The next field, or `None` where it is missing or nil.
    #[inline]
    pub(crate) fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut BodyReader<'a>) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        if self.reader.nil() { Ok(None) } else { read(self.reader).map(Some) }
    }
}
