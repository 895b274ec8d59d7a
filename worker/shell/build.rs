//! The build script of both Workers. It leaves the names of functions out: they are a quarter of the bundle. What
//! `strip = true` would also remove, the section `target_features`, wasm-bindgen needs.

fn main() {
    println!("cargo::rerun-if-changed=../shell/build.rs");
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        println!("cargo::rustc-link-arg-cdylib=--strip-all");
        println!("cargo::rustc-link-arg-cdylib=--keep-section=target_features");
    }
}
