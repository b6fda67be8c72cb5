//! Strict reading of MessagePack values.

use rmp::Marker;

use super::{DecodeError, DecodeResult, UntrustedText};
use crate::limits::{DEPTH_MAX, ELEMENTS_MAX};

/// Reader of one body.
#[derive(Clone)]
pub(crate) struct BodyReader<'a> {
    rest: &'a [u8],
    depth: usize,
}

impl<'a> BodyReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, depth: 0 }
    }

    /// Reads the one array that a body is. `read` takes its known fields; the others are checked
    /// and skipped, and nothing may follow.
    #[inline]
    pub(crate) fn body<T>(
        mut self,
        read: impl FnOnce(&mut ArrayFields<'_, 'a>) -> DecodeResult<T>,
    ) -> DecodeResult<T> {
        let value = self.array(ELEMENTS_MAX, read)?;
        if self.rest.is_empty() { Ok(value) } else { Err(DecodeError::Trailing) }
    }

    /// Reads an array of at most `most` elements.
    #[inline]
    pub(crate) fn array<T>(
        &mut self,
        most: u32,
        read: impl FnOnce(&mut ArrayFields<'_, 'a>) -> DecodeResult<T>,
    ) -> DecodeResult<T> {
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
            // Most of what is skipped is the padding of short bodies.
            if !fields.reader.nil() {
                fields.reader.skip()?;
            }
        }
        self.depth -= 1;
        Ok(value)
    }

    /// Reads a map of at most `most` pairs; `read` is called with each key, and no key twice.
    pub(crate) fn map(
        &mut self,
        most: u32,
        mut read: impl FnMut(&'a str, &mut Self) -> DecodeResult<()>,
    ) -> DecodeResult<()> {
        let len = match self.marker()? {
            Marker::FixMap(len) => u32::from(len),
            Marker::Map16 => u32::from(u16::from_be_bytes(self.take()?)),
            Marker::Map32 => u32::from_be_bytes(self.take()?),
            _ => return Err(DecodeError::WrongType),
        };
        self.enter(len, most)?;
        // Maps are short: a linear search of the keys costs less than a set.
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
    pub(crate) fn u64(&mut self) -> DecodeResult<u64> {
        // Most are small enough to be in their marker.
        match self.rest.split_first() {
            Some((&byte, rest)) if byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(byte))
            }
            _ => self.large_u64(),
        }
    }

    fn large_u64(&mut self) -> DecodeResult<u64> {
        // Some encoders write small positive numbers as signed ones.
        let signed = match self.marker()? {
            Marker::FixPos(value) => return Ok(u64::from(value)),
            Marker::U8 => return Ok(u64::from(u8::from_be_bytes(self.take()?))),
            Marker::U16 => return Ok(u64::from(u16::from_be_bytes(self.take()?))),
            Marker::U32 => return Ok(u64::from(u32::from_be_bytes(self.take()?))),
            Marker::U64 => return Ok(u64::from_be_bytes(self.take()?)),
            Marker::I8 => i64::from(i8::from_be_bytes(self.take()?)),
            Marker::I16 => i64::from(i16::from_be_bytes(self.take()?)),
            Marker::I32 => i64::from(i32::from_be_bytes(self.take()?)),
            Marker::I64 => i64::from_be_bytes(self.take()?),
            Marker::FixNeg(value) => i64::from(value),
            _ => return Err(DecodeError::WrongType),
        };
        u64::try_from(signed).map_err(|_| DecodeError::OutOfRange)
    }

    pub(crate) fn u64_up_to(&mut self, most: u64) -> DecodeResult<u64> {
        let value = self.u64()?;
        if value <= most { Ok(value) } else { Err(DecodeError::OutOfRange) }
    }

    pub(crate) fn u32(&mut self) -> DecodeResult<u32> {
        u32::try_from(self.u64()?).map_err(|_| DecodeError::OutOfRange)
    }

    pub(crate) fn bool(&mut self) -> DecodeResult<bool> {
        match self.marker()? {
            Marker::True => Ok(true),
            Marker::False => Ok(false),
            _ => Err(DecodeError::WrongType),
        }
    }

    /// Reads a text of at most `most` bytes.
    pub(crate) fn text(&mut self, most: usize) -> DecodeResult<UntrustedText<'a>> {
        self.str(most).map(UntrustedText::new)
    }

    pub(crate) fn str(&mut self, most: usize) -> DecodeResult<&'a str> {
        let len = match self.marker()? {
            Marker::FixStr(len) => usize::from(len),
            Marker::Str8 => usize::from(u8::from_be_bytes(self.take()?)),
            Marker::Str16 => usize::from(u16::from_be_bytes(self.take()?)),
            Marker::Str32 => u32::from_be_bytes(self.take()?) as usize,
            _ => return Err(DecodeError::WrongType),
        };
        let bytes = self.bytes_up_to(len, most)?;
        std::str::from_utf8(bytes).map_err(|_| DecodeError::NotUtf8)
    }

    pub(crate) fn bin(&mut self, most: usize) -> DecodeResult<&'a [u8]> {
        let len = match self.marker()? {
            Marker::Bin8 => usize::from(u8::from_be_bytes(self.take()?)),
            Marker::Bin16 => usize::from(u16::from_be_bytes(self.take()?)),
            Marker::Bin32 => u32::from_be_bytes(self.take()?) as usize,
            _ => return Err(DecodeError::WrongType),
        };
        self.bytes_up_to(len, most)
    }

    /// Reads a nil, if one is next.
    #[inline]
    pub(crate) fn nil(&mut self) -> bool {
        let is_nil = self.rest.first() == Some(&0xc0);
        if is_nil {
            self.rest = &self.rest[1..];
        }
        is_nil
    }

    /// Checks and skips one value of any type that a newer version may have added.
    pub(crate) fn skip(&mut self) -> DecodeResult<()> {
        let mut ahead = self.clone();
        let len = match ahead.marker()? {
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
                return self.array(ELEMENTS_MAX, |_| Ok(()));
            }
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
                return self.map(ELEMENTS_MAX, |_, reader| reader.skip());
            }
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                return self.str(usize::MAX).map(drop);
            }
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => return self.bin(usize::MAX).map(drop),
            Marker::F32 if !f32::from_be_bytes(ahead.clone().take()?).is_finite() => {
                return Err(DecodeError::NotFinite);
            }
            Marker::F64 if !f64::from_be_bytes(ahead.clone().take()?).is_finite() => {
                return Err(DecodeError::NotFinite);
            }
            Marker::Null | Marker::True | Marker::False | Marker::FixPos(_) | Marker::FixNeg(_) => {
                0
            }
            Marker::U8 | Marker::I8 => 1,
            Marker::U16 | Marker::I16 => 2,
            Marker::U32 | Marker::I32 | Marker::F32 => 4,
            Marker::U64 | Marker::I64 | Marker::F64 => 8,
            _ => return Err(DecodeError::WrongType),
        };
        ahead.bytes(len)?;
        *self = ahead;
        Ok(())
    }

    fn enter(&mut self, len: u32, most: u32) -> DecodeResult<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(DecodeError::TooDeep);
        }
        if len > most.min(ELEMENTS_MAX) { Err(DecodeError::TooMany) } else { Ok(()) }
    }

    fn marker(&mut self) -> DecodeResult<Marker> {
        self.take().map(|[byte]| Marker::from_u8(byte))
    }

    fn take<const N: usize>(&mut self) -> DecodeResult<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(DecodeError::CutOff)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn bytes_up_to(&mut self, len: usize, most: usize) -> DecodeResult<&'a [u8]> {
        if len > most { Err(DecodeError::TooLong) } else { self.bytes(len) }
    }

    fn bytes(&mut self, len: usize) -> DecodeResult<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(DecodeError::CutOff)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// Fields of an array, in order. A field that is missing at the end, or nil, has its default.
pub(crate) struct ArrayFields<'r, 'a> {
    reader: &'r mut BodyReader<'a>,
    left: u32,
}

impl<'a> ArrayFields<'_, 'a> {
    /// Returns how many fields are left.
    pub(crate) fn left(&self) -> u32 {
        self.left
    }

    /// Reads the next field, which must exist.
    #[inline]
    pub(crate) fn required<T>(
        &mut self,
        read: impl FnOnce(&mut BodyReader<'a>) -> DecodeResult<T>,
    ) -> DecodeResult<T> {
        if self.left == 0 {
            return Err(DecodeError::Missing);
        }
        self.left -= 1;
        read(self.reader)
    }

    /// Reads the next field, or returns `None` where it is missing or nil.
    #[inline]
    pub(crate) fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut BodyReader<'a>) -> DecodeResult<T>,
    ) -> DecodeResult<Option<T>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        if self.reader.nil() { Ok(None) } else { read(self.reader).map(Some) }
    }
}
