//! `GET /problems/{code}`: what an error means.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use service::Problem;
use service::extract::Path;

use crate::frame::PublicFrame;
use crate::refusal::Refusal;
use crate::view::ProblemPage;
use crate::{answer, problems};

/// Shows the section of docs/problems.md on a code.
pub(crate) async fn show(frame: PublicFrame, code: Path<String>) -> Result<HttpResponse, Problem> {
    let section = problems::section(&code).ok_or(Refusal::UnknownProblem)?;
    answer::page(StatusCode::OK, &ProblemPage { shell: frame.shell, section })
}
