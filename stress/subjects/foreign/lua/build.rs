//! Builds Lua in the release that was asked for, with its own assertions on.

macro_rules! build {
    ($feature:literal, $krate:ident) => {
        #[cfg(feature = $feature)]
        $krate::Build::new()
            .build($krate::Lua54)
            .print_cargo_metadata();
    };
}

fn main() {
    let flags = "-include assert.h -Dlua_assert=assert -DLUA_USE_APICHECK";
    // SAFETY: a build script has one thread here.
    unsafe { std::env::set_var("CFLAGS", flags) };
    build!("release-0", lua_0);
    build!("release-3", lua_3);
    build!("release-4", lua_4);
    build!("release-6", lua_6);
    build!("release-8", lua_8);
}
