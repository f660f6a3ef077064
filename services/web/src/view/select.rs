//! Selects of the forms that narrow lists.

/// One select of the filter form.
pub(crate) struct FilterChoice {
    /// Its name in the URL.
    pub(crate) name: &'static str,
    /// What it says.
    pub(crate) label: &'static str,
    /// What can be chosen.
    pub(crate) options: Vec<FilterOption>,
}

/// One option of a select.
pub(crate) struct FilterOption {
    /// Its value in the URL.
    pub(crate) value: String,
    /// What it says.
    pub(crate) label: String,
    /// Whether it is chosen.
    pub(crate) chosen: bool,
}

/// Row counts a reader can choose.
const PAGE_SIZES: [u16; 3] = [25, 50, 100];

/// A select of a filter; its first option narrows nothing.
pub(crate) fn choice(
    name: &'static str,
    label: &'static str,
    any: &str,
    values: impl Iterator<Item = (String, String)>,
    chosen: &str,
) -> FilterChoice {
    let first = FilterOption { value: String::new(), label: any.to_owned(), chosen: chosen.is_empty() };
    let rest = values.map(|(value, label)| FilterOption { chosen: value == chosen, value, label });
    FilterChoice { name, label, options: std::iter::once(first).chain(rest).collect() }
}

/// The select of how many rows a page has.
pub(crate) fn sizes(limit: u16) -> FilterChoice {
    let mut sizes = PAGE_SIZES.to_vec();
    if !sizes.contains(&limit) {
        sizes.push(limit);
        sizes.sort_unstable();
    }
    let option =
        |size: u16| FilterOption { value: size.to_string(), label: size.to_string(), chosen: size == limit };
    FilterChoice { name: "limit", label: "Rows", options: sizes.into_iter().map(option).collect() }
}
