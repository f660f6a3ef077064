//! Why something fails: the deepest failing thing it depends on.

use std::collections::{BTreeMap, BTreeSet};

/// What depends on what, and what fails at present.
pub(crate) struct Causes<'a> {
    /// Check to the checks it needs.
    pub(crate) depends_on: &'a BTreeMap<String, Vec<String>>,
    /// Checks that are unhealthy.
    pub(crate) failing: &'a BTreeSet<String>,
}

impl Causes<'_> {
    /// The component that explains the failure of `name`: `name` itself when everything it needs is well.
    pub(crate) fn root_of(&self, name: &str) -> String {
        component(self.deepest(name, &mut BTreeSet::new())).to_owned()
    }

    fn deepest<'n>(&'n self, name: &'n str, passed: &mut BTreeSet<&'n str>) -> &'n str {
        passed.insert(name);
        for need in self.depends_on.get(name).into_iter().flatten() {
            if self.failing.contains(need) && !passed.contains(need.as_str()) {
                return self.deepest(need, passed);
            }
        }
        name
    }
}

/// The component an operator looks at: `database` is our word, the thing itself is PostgreSQL.
fn component(check: &str) -> &str {
    if check == crate::targets::DATABASE { "postgresql" } else { check }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph() -> BTreeMap<String, Vec<String>> {
        [
            ("gateway", vec!["auth", "web"]),
            ("auth", vec!["database"]),
            ("web", vec!["database"]),
            ("loop", vec!["loop"]),
        ]
        .into_iter()
        .map(|(name, needs)| (name.to_owned(), needs.into_iter().map(str::to_owned).collect()))
        .collect()
    }

    fn root(name: &str, failing: &[&str]) -> String {
        let failing = failing.iter().map(|&name| name.to_owned()).collect();
        Causes { depends_on: &graph(), failing: &failing }.root_of(name)
    }

    #[test]
    fn a_lost_database_explains_everyone_who_needs_it() {
        let failing = ["gateway", "auth", "web", "database"];
        assert_eq!(root("gateway", &failing), "postgresql");
        assert_eq!(root("web", &failing), "postgresql");
        assert_eq!(root("database", &failing), "postgresql");
    }

    #[test]
    fn a_service_that_fails_alone_is_its_own_cause() {
        assert_eq!(root("web", &["web", "gateway"]), "web");
        assert_eq!(root("gateway", &["web", "gateway"]), "web");
    }

    #[test]
    fn a_circle_ends() {
        assert_eq!(root("loop", &["loop"]), "loop");
    }
}
