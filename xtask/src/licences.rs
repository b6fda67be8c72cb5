//! What is linked into Heartline: licences, banned crates and where they come from.
//!
//! `cargo deny` says it best. Compiling it takes as long as all the rest of the test command, so
//! where it is missing the same rules of `deny.toml` are checked here, on what `cargo metadata` tells
//! about this platform; duplicate versions are then not looked for.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::cargo;
use crate::spdx;

/// Checks the rules of `deny.toml`.
///
/// # Errors
/// Each crate that breaks one.
pub(crate) fn check() -> Result<()> {
    if cargo::has_subcommand("deny") {
        let words = "deny check --hide-inclusion-graph licenses bans sources";
        return cargo::run(&mut cargo::cargo(words));
    }
    println!("    cargo-deny is not installed: checking deny.toml's licenses, bans and sources on");
    println!(
        "    `cargo metadata` instead (`cargo install cargo-deny --locked` for the full check)"
    );
    let path = cargo::root().join("deny.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("can't read {path:?}"))?;
    let rules: Rules =
        toml::from_str(&text).with_context(|| format!("{path:?} is no rule file"))?;
    let packages = linked()?;
    let faults: Vec<String> = packages.iter().flat_map(|it| faults(it, &rules)).collect();
    if !faults.is_empty() {
        bail!("deny.toml does not allow:\n  {}", faults.join("\n  "));
    }
    println!("    {} crates: licenses ok, bans ok, sources ok", packages.len());
    Ok(())
}

/// The part of `deny.toml` that is understood here.
#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Deserialize)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

/// The part of `cargo metadata` that is understood here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    /// `None`: it stands in this repository.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
}

/// The crates of others that are used on this platform.
fn linked() -> Result<Vec<Package>> {
    let words = format!("metadata --format-version 1 --locked --filter-platform {}", platform()?);
    let output = cargo::cargo(&words).output().context("can't run `cargo metadata`")?;
    if !output.status.success() {
        bail!("`cargo {words}` failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("can't read `cargo metadata`")?;
    let used: BTreeSet<String> = metadata.resolve.nodes.into_iter().map(|node| node.id).collect();
    let packages = metadata.packages.into_iter();
    Ok(packages.filter(|it| it.source.is_some() && used.contains(&it.id)).collect())
}

/// The platform compiled for, as `rustc` calls it.
fn platform() -> Result<String> {
    let output = cargo::program("rustc", "-vV").output().context("can't run `rustc -vV`")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -vV` names no host")
}

fn faults(package: &Package, rules: &Rules) -> Vec<String> {
    let Package { name, version, license, source, .. } = package;
    let mut faults = Vec::new();
    match license {
        Some(license) if spdx::is_covered(license, &rules.licenses.allow) => {}
        Some(license) => faults.push(format!("{name} {version}: its licence is {license}")),
        None => faults.push(format!("{name} {version}: it names no licence")),
    }
    if let Some(banned) = rules.bans.deny.iter().find(|banned| banned.name == *name) {
        faults.push(format!("{name} {version}: banned, {}", banned.reason));
    }
    let source = source.as_deref().unwrap_or_default();
    let registry = source.strip_prefix("registry+").unwrap_or_default();
    if !rules.sources.allow_registry.iter().any(|allowed| allowed == registry) {
        faults.push(format!("{name} {version}: it comes from {source}"));
    }
    faults
}
