//! Parameters: what a statement declares, and what a caller may pass for it.

use postgres_types::{ToSql, Type};

/// One declared parameter.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// The Rust type, for messages.
    pub rust: &'static str,
    /// Whether the Rust type takes a PostgreSQL type.
    pub accepts: fn(&Type) -> bool,
}

/// The parameters a statement declares: a tuple of owned types.
pub trait Params {
    /// What each accepts, in order.
    fn describe() -> Vec<Parameter>;
}

/// A value that may be passed where `Declared` is declared: itself, a reference to it, or its borrowed form.
pub trait Bind<Declared>: Send + Sync {
    /// The value as the driver sends it.
    fn as_sql(&self) -> &(dyn ToSql + Sync);
}

impl<T: ToSql + Send + Sync> Bind<T> for T {
    fn as_sql(&self) -> &(dyn ToSql + Sync) {
        self
    }
}

impl<T: ToSql + Send + Sync> Bind<T> for &T {
    fn as_sql(&self) -> &(dyn ToSql + Sync) {
        *self
    }
}

impl Bind<String> for &str {
    fn as_sql(&self) -> &(dyn ToSql + Sync) {
        self
    }
}

impl<'a, T> Bind<Vec<T>> for &'a [T]
where
    &'a [T]: ToSql + Send + Sync,
{
    fn as_sql(&self) -> &(dyn ToSql + Sync) {
        self
    }
}

impl Bind<Option<String>> for Option<&str> {
    fn as_sql(&self) -> &(dyn ToSql + Sync) {
        self
    }
}

impl<T: ToSql + Send + Sync> Bind<Option<T>> for Option<&T> {
    fn as_sql(&self) -> &(dyn ToSql + Sync) {
        self
    }
}

/// Values for the parameters a statement declares.
pub trait Binds<Declared>: Send + Sync {
    /// The values as the driver sends them, in order.
    fn as_sql(&self) -> Vec<&(dyn ToSql + Sync)>;
}

impl Params for () {
    fn describe() -> Vec<Parameter> {
        Vec::new()
    }
}

impl Binds<()> for () {
    fn as_sql(&self) -> Vec<&(dyn ToSql + Sync)> {
        Vec::new()
    }
}

macro_rules! tuple_params {
    ($(($($declared:ident $given:ident $index:tt),+))+) => {$(
        impl<$($declared: ToSql),+> Params for ($($declared,)+) {
            fn describe() -> Vec<Parameter> {
                vec![$(Parameter {
                    rust: std::any::type_name::<$declared>(),
                    accepts: <$declared as ToSql>::accepts,
                }),+]
            }
        }

        impl<$($declared, $given: Bind<$declared>),+> Binds<($($declared,)+)> for ($($given,)+) {
            fn as_sql(&self) -> Vec<&(dyn ToSql + Sync)> {
                vec![$(self.$index.as_sql()),+]
            }
        }
    )+};
}

tuple_params! {
    (A A1 0)
    (A A1 0, B B1 1)
    (A A1 0, B B1 1, C C1 2)
    (A A1 0, B B1 1, C C1 2, D D1 3)
    (A A1 0, B B1 1, C C1 2, D D1 3, E E1 4)
    (A A1 0, B B1 1, C C1 2, D D1 3, E E1 4, F F1 5)
    (A A1 0, B B1 1, C C1 2, D D1 3, E E1 4, F F1 5, G G1 6)
    (A A1 0, B B1 1, C C1 2, D D1 3, E E1 4, F F1 5, G G1 6, H H1 7)
    (A A1 0, B B1 1, C C1 2, D D1 3, E E1 4, F F1 5, G G1 6, H H1 7, I I1 8)
    (A A1 0, B B1 1, C C1 2, D D1 3, E E1 4, F F1 5, G G1 6, H H1 7, I I1 8, J J1 9)
    (A A1 0, B B1 1, C C1 2, D D1 3, E E1 4, F F1 5, G G1 6, H H1 7, I I1 8, J J1 9, K K1 10)
    (A A1 0, B B1 1, C C1 2, D D1 3, E E1 4, F F1 5, G G1 6, H H1 7, I I1 8, J J1 9, K K1 10, L L1 11)
    (A A1 0, B B1 1, C C1 2, D D1 3, E E1 4, F F1 5, G G1 6, H H1 7, I I1 8, J J1 9, K K1 10, L L1 11, M M1 12)
    (A A1 0, B B1 1, C C1 2, D D1 3, E E1 4, F F1 5, G G1 6, H H1 7, I I1 8, J J1 9, K K1 10, L L1 11, M M1 12,
     N N1 13)
    (A A1 0, B B1 1, C C1 2, D D1 3, E E1 4, F F1 5, G G1 6, H H1 7, I I1 8, J J1 9, K K1 10, L L1 11, M M1 12,
     N N1 13, O O1 14)
    (A A1 0, B B1 1, C C1 2, D D1 3, E E1 4, F F1 5, G G1 6, H H1 7, I I1 8, J J1 9, K K1 10, L L1 11, M M1 12,
     N N1 13, O O1 14, P P1 15)
}
