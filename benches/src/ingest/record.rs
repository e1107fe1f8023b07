//! The identifiers that are registered.

use waymark_api::registration::v1::{Change, Create, Value, change::Action, value::Data};

/// Prefix of the generated identifiers.
pub const PREFIX: &str = "88.111.2";

/// Types of a sample-shaped record, as the samples of the machinery industry have them.
const TYPES: [&str; 12] = [
    "TEMPLATE",
    "productName",
    "model",
    "serialNo",
    "ratedMass",
    "engineHandle",
    "madeDate",
    "factory",
    "inspector",
    "batchNo",
    "standard",
    "URL",
];

/// Bytes the wire form of a value takes besides type and data.
const VALUE_OVERHEAD: usize = 26;

/// What is registered under a number of a round.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Values of a record.
    values: usize,
    /// Bytes of each value's data.
    data_bytes: usize,
}

impl Shape {
    /// Records whose values take about `record_bytes` in wire form: twelve values as the samples have them, or one where that is too little.
    pub fn of(record_bytes: usize) -> Self {
        let names: usize = TYPES.iter().map(|name| name.len()).sum();
        let fixed = names + TYPES.len() * VALUE_OVERHEAD;
        match record_bytes.checked_sub(fixed) {
            Some(left) => Self { values: TYPES.len(), data_bytes: left / TYPES.len() },
            None => Self { values: 1, data_bytes: record_bytes.saturating_sub(VALUE_OVERHEAD + 3) },
        }
    }

    /// The registration of item `number` of round `round`.
    pub fn change(self, round: u32, number: u64) -> Change {
        let values = (1_u32..).zip(TYPES.iter().rev().take(self.values)).map(|(index, kind)| Value {
            index,
            r#type: (*kind).to_owned(),
            data: Some(Data::Text(format!("{number:0width$}", width = self.data_bytes))),
            ..Value::default()
        });
        Change {
            handle: format!("{PREFIX}/R{round}.{number:09}"),
            action: Some(Action::Create(Create { values: values.collect(), keep_timestamps: false })),
            expect: None,
        }
    }
}
