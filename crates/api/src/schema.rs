//! How domain words look in the OpenAPI document; `domain` itself knows nothing of HTTP.

use domain::text::TextEnum;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{KnownFormat, Object, Schema};

/// An enum that is stored and sent as one of its labels.
pub fn labels<T: TextEnum>() -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(T::LABELS.iter().copied())).build()
}

/// Several of an enum's labels.
pub fn label_list<T: TextEnum>() -> Schema {
    ArrayBuilder::new().items(labels::<T>()).build().into()
}

/// The broken fields of a problem.
pub fn field_errors() -> Schema {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let field = ObjectBuilder::new()
        .property("pointer", text().description(Some("JSON pointer to the field, such as `/title`.")))
        .property("detail", text().description(Some("What is wrong and what would be right, as a sentence.")))
        .required("pointer")
        .required("detail");
    ArrayBuilder::new().items(field.build()).build().into()
}

/// A moment, RFC 3339.
pub fn moment() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .build()
}

/// An id, a UUID.
pub fn id() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
        .build()
}

/// Several ids.
pub fn id_list() -> Schema {
    ArrayBuilder::new().items(id()).build().into()
}
