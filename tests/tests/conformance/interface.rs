//! `<interface>` of guests, as libvirt keeps it on disk.

use vnet_xml::Interface;

use crate::{run, same, text};

#[test]
#[cfg_attr(not(libvirt_corpus), ignore = "VNET_LIBVIRT_CORPUS names no folder with libvirt's test data")]
fn interfaces_are_printed_as_libvirt_prints_them() {
    run("interface-canonical", &[], |case| {
        let output = text(case, "output");
        let parsed = Interface::parse(output.as_bytes());
        if let Some(problem) = parsed.problems.first() {
            return Err(format!("{} at {}: {}", problem.code, problem.path, problem.message));
        }
        let canonical = parsed.into_result().map_err(|refused| refused.to_string())?;
        same(&canonical.inactive().to_string(), &output)?;
        if case["input"].is_null() {
            return Ok(());
        }
        // What the hypervisor adds.
        let written = text(case, "input").parse::<Interface>();
        let mut written = written.map_err(|refused| refused.to_string())?;
        written.mac = written.mac.or(canonical.mac);
        written.model = written.model.or(canonical.model);
        written.address = written.address.or(canonical.address);
        same(&written.inactive().to_string(), &output)
    });
}
