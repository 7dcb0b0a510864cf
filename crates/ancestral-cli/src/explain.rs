use crate::args::ExplainArgs;
use anyhow::Result;
use std::path::Path;
pub(crate) fn run(_args: &ExplainArgs, _data_dir: Option<&Path>) -> Result<()> {
    unimplemented!()
}
