//! What the node reads of an identifier because its template marks the columns: expiry and batch.

use waymark_wire::Values;

use super::definition::ColumnRole;
use super::{TEMPLATE_INDEX, TEMPLATE_TYPE, Templates};
use crate::verdict::DateText;

/// What an identifier says in the columns its template marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marked<'v> {
    /// The batch.
    pub batch: Option<&'v str>,
    /// The last day of sale, and how it is written.
    pub expiry: Option<DateText<'v>>,
}

impl Templates {
    /// What the values of an identifier under `prefix`, folded, say in marked columns; nothing for one that was not made from a published template
    /// of this node. Disabled columns count: what was issued says what it said.
    #[must_use]
    pub fn marked<'v>(&self, prefix: &[u8], values: Values<'v>) -> Marked<'v> {
        let text = |index: u32, kind: &str| {
            let value = values.iter().find(|value| value.index == index && value.kind == kind.as_bytes())?;
            std::str::from_utf8(value.data).ok().filter(|text| !text.is_empty())
        };
        let template = text(TEMPLATE_INDEX, TEMPLATE_TYPE).and_then(|named| self.named(prefix, named));
        let Some(template) = template.filter(|template| template.is_published()) else { return Marked::default() };
        let column = |role| template.definition.column_of(role).and_then(|it| Some((it, text(it.index, &it.kind)?)));
        Marked {
            batch: column(ColumnRole::Batch).map(|(_, text)| text),
            expiry: column(ColumnRole::Expiry).map(|(column, text)| DateText { text, form: column.form.into() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::FieldValue;
    use crate::template::testing::template;
    use crate::verdict::DateForm;

    #[test]
    fn expiry_and_batch_are_read_from_marked_columns_alone() {
        let mut templates = Templates::default();
        templates.put(template());
        let fields = [(2000, "a"), (2001, "b"), (2004, "2028-03-10"), (2005, "B26")];
        let fields = fields.map(|(index, text)| FieldValue { index, kind: String::new(), text: text.into() });
        let values = template().values(b"88.1", &fields).unwrap();
        let expiry = DateText { text: "2028-03-10", form: DateForm::Iso };
        let marked = Marked { batch: Some("B26"), expiry: Some(expiry) };
        assert_eq!(templates.marked(b"88.1", values.values()), marked);
        // Under another prefix the same short name is another template.
        assert_eq!(templates.marked(b"88.2", values.values()), Marked::default());
        assert_eq!(Templates::default().marked(b"88.1", values.values()), Marked::default());
        let without = template().values(b"88.1", &fields[..2]).unwrap();
        assert_eq!(templates.marked(b"88.1", without.values()), Marked::default());
    }
}
