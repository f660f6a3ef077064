//! Parsed input: actix's extractors, except that what does not fit is answered with a problem.
//!
//! A handler declares what it takes; after the first line nothing checks shapes any more.

use std::future::{Ready, ready};
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use bytes::BytesMut;
use domain::FieldError;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use crate::Problem;
use crate::server::Limits;

mod schema;

type Pending<T> = Pin<Box<dyn Future<Output = Result<T, Problem>>>>;

macro_rules! wrapper {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<T>(pub T);

        impl<T> $name<T> {
            /// The parsed value.
            pub fn into_inner(self) -> T {
                self.0
            }
        }

        impl<T> std::ops::Deref for $name<T> {
            type Target = T;

            fn deref(&self) -> &T {
                &self.0
            }
        }

        impl<T> std::ops::DerefMut for $name<T> {
            fn deref_mut(&mut self) -> &mut T {
                &mut self.0
            }
        }
    };
}

wrapper! {
    /// A JSON body: 415 `unsupported-media-type`, 413 `body-too-large`, 400 `malformed-body` with every field that its
    /// published schema does not allow.
    Json
}
wrapper! {
    /// A body as forms send it: 415 `unsupported-media-type`, 413 `body-too-large`, 400 `malformed-body`.
    Form
}
wrapper! {
    /// Parts of the path: 404 `malformed-path`.
    Path
}
wrapper! {
    /// The query string: 400 `malformed-query`.
    Query
}

impl<T: DeserializeOwned + ToSchema + 'static> FromRequest for Json<T> {
    type Error = Problem;
    type Future = Pending<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let media_type = media_type(request);
        let body = Body::of(request, payload);
        Box::pin(async move {
            if media_type != "application/json" && !media_type.ends_with("+json") {
                return Err(Problem::unsupported_media_type());
            }
            parse_json(&body.read().await?).map(Self)
        })
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = Problem;
    type Future = Pending<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let media_type = media_type(request);
        let body = Body::of(request, payload);
        Box::pin(async move {
            if media_type != "application/x-www-form-urlencoded" {
                return Err(Problem::unsupported_media_type());
            }
            let text = body.read().await?;
            serde_urlencoded::from_bytes(&text)
                .map(Self)
                .map_err(|error| Problem::malformed_body().because(error))
        })
    }
}

impl<T: DeserializeOwned> FromRequest for Path<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    #[expect(clippy::disallowed_types, reason = "this is the wrapper that answers with problems")]
    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let parsed = actix_web::web::Path::<T>::from_request(request, payload).into_inner();
        ready(match parsed {
            Ok(parts) => Ok(Self(parts.into_inner())),
            Err(error) => Err(Problem::malformed_path().because(error)),
        })
    }
}

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let parsed = serde_urlencoded::from_str(request.query_string());
        ready(parsed.map(Self).map_err(|error| Problem::malformed_query().because(error)))
    }
}

/// The largest body [`Json`] and [`Form`] read where the listener takes larger ones. Registered as
/// `web::Data<WholeBodies>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WholeBodies {
    /// Bytes.
    pub bytes_max: usize,
}

/// A body that is still arriving.
struct Body {
    payload: Payload,
    bytes_max: usize,
}

impl Body {
    fn of(request: &HttpRequest, payload: &mut Payload) -> Self {
        let listener = Limits::of(request).body_bytes_max;
        let whole = request.app_data::<Data<WholeBodies>>().map_or(listener, |whole| whole.bytes_max);
        Self { payload: payload.take(), bytes_max: listener.min(whole) }
    }

    async fn read(mut self) -> Result<BytesMut, Problem> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.payload.next().await {
            let chunk = chunk.map_err(|error| Problem::malformed_body().because(error))?;
            if body.len() + chunk.len() > self.bytes_max {
                return Err(Problem::body_too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// The media type in lower case, without parameters; empty when there is none.
fn media_type(request: &HttpRequest) -> String {
    request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map_or_else(String::new, |value| value.trim().to_ascii_lowercase())
}

fn parse_json<T: DeserializeOwned + ToSchema>(body: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let parsed = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let mut fields = schema::mistakes::<T>(body);
        if fields.is_empty() {
            fields.push(FieldError::new(pointer(error.path()), words_for(error.inner())));
        }
        Problem::malformed_body().with_errors(fields).because(error.inner())
    })?;
    reader.end().map_err(|error| {
        let field = FieldError::new("", "After the JSON value there is something else.");
        Problem::malformed_body().with_errors(vec![field]).because(error)
    })?;
    Ok(parsed)
}

/// A JSON pointer (RFC 6901) to where reading stopped.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |pointer, segment| match segment {
        Segment::Seq { index } => format!("{pointer}/{index}"),
        Segment::Map { key } | Segment::Enum { variant: key } => schema::join(&pointer, key),
        Segment::Unknown => pointer,
    })
}

/// Our own words: the parser's speak of Rust.
fn words_for(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        Category::Eof => "The JSON text ends too early.".to_owned(),
        Category::Syntax => format!("Not JSON at line {}, column {}.", error.line(), error.column()),
        Category::Data => "A field here is unknown, missing, or of the wrong kind.".to_owned(),
        Category::Io => "The body could not be read.".to_owned(),
    }
}
