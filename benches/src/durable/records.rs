//! The records that are made durable.

/// A key and what is stored under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// An identifier.
    pub key: Vec<u8>,
    /// Its values, as stored.
    pub body: Vec<u8>,
}

/// Records of one size with keys that never come again.
#[derive(Clone, Debug)]
pub struct Records {
    bytes: usize,
    next: u64,
}

impl Records {
    /// Records whose key and body take so many bytes together.
    pub const fn of(bytes: usize) -> Self {
        Self { bytes, next: 0 }
    }

    /// The next so many.
    pub fn group(&mut self, count: usize) -> Vec<Record> {
        (0..count).map(|_| self.record()).collect()
    }

    fn record(&mut self) -> Record {
        self.next += 1;
        // Consecutive numbers far apart in the order of keys, as identifiers of many enterprises are.
        let scattered = self.next.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let key = format!("88.111.{}/{scattered:016x}", scattered % 900 + 100).into_bytes();
        let text = format!("https://id.example.org/item/{:016x}?", scattered.rotate_left(20)).into_bytes();
        let body = text.iter().copied().cycle().take(self.bytes.saturating_sub(key.len())).collect();
        Record { key, body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_records_of_the_size_with_keys_of_their_own() {
        for bytes in [200, 637] {
            let mut records = Records::of(bytes);
            let mut all = [records.group(100), records.group(100)].concat();
            assert!(all.iter().all(|record| record.key.len() + record.body.len() == bytes));
            all.sort_by(|one, other| one.key.cmp(&other.key));
            all.dedup_by(|one, other| one.key == other.key);
            assert_eq!(all.len(), 200);
        }
    }
}
