#!/usr/bin/env bash
# Builds what is shipped: a .deb, a tarball, and their checksums, in target/package. The same commit, toolchain and system give the
# same bytes: every time in them is that of the commit (or SOURCE_DATE_EPOCH), and no path of this machine is in the programs.
# PROFILE=dev packages a quick build instead, to try the packaging itself.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 022
export LC_ALL=C TZ=UTC
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}"

profile="${PROFILE:-dist}"
out="${OUT:-target/package}"
version="$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)"
architecture="$(dpkg --print-architecture)"
root="$out/root"

# What is shipped.
programs=(liaison liaison-tray)

build() {
  local flags=()
  for program in "${programs[@]}"; do flags+=(--bin "$program"); done
  if [ "$profile" = dist ]; then
    export RUSTFLAGS="--remap-path-prefix=$PWD=/liaison --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
    # Short tables of what the loader puts right: a megabyte less for each process. glibc knows them since 2.36.
    RUSTFLAGS+=" -C link-arg=-Wl,-z,pack-relative-relocs"
    export CARGO_INCREMENTAL=0
  fi
  cargo build --locked --profile "$profile" "${flags[@]}"
  local folder="$profile"
  if [ "$profile" = dev ]; then folder=debug; fi
  binaries="${CARGO_TARGET_DIR:-target}/$folder"
}

# put MODE FILE... FOLDER
put() {
  local mode="$1" folder="${*: -1}"
  install -d -m 755 "$root/$folder"
  install -m "$mode" "${@:2:$#-2}" "$root/$folder"
}

tree() {
  rm -rf "$root"
  for program in "${programs[@]}"; do put 755 "$binaries/$program" usr/bin; done
  # What is shipped is built without; the names in a quick build would take minutes to pack.
  if [ "$profile" != dist ]; then strip "$root"/usr/bin/*; fi
  put 644 packaging/systemd/liaison.service usr/lib/systemd/user
  put 644 packaging/icons/liaison.svg usr/share/icons/hicolor/scalable/apps
  put 644 packaging/icons/liaison-*.svg usr/share/icons/hicolor/scalable/status
  put 644 packaging/systemd/liaison-tray.service usr/lib/systemd/user
  put 644 packaging/desktop/liaison-tray.desktop etc/xdg/autostart
  documents
  # The order of a listing, and what was made when, must not tell this build from another.
  find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}

# Manual, completions, examples, licences: what the program says of itself is asked of the program.
documents() {
  local liaison="$binaries/liaison" share="$root/usr/share" doc="usr/share/doc/liaison"
  "$liaison" man "$share/man" >/dev/null
  find "$share/man" -type f -exec gzip -9n {} +
  install -d "$share/bash-completion/completions" "$share/zsh/vendor-completions" "$share/fish/vendor_completions.d"
  "$liaison" completions bash >"$share/bash-completion/completions/liaison"
  "$liaison" completions zsh >"$share/zsh/vendor-completions/_liaison"
  "$liaison" completions fish >"$share/fish/vendor_completions.d/liaison.fish"
  put 644 packaging/debian/copyright README.md $doc
  put 644 config/default.toml config/examples/*.toml $doc/examples
  # The program contains these; each under its licence.
  cargo tree --locked --offline --edges normal --prefix none --format '{p} {l}' |
    sed 's/ (\*)$//; s/ ([^()]*\/[^()]*)//' | sort -u >"$root/$doc/crates"
  printf 'liaison (%s) stable; urgency=medium\n\n  * See the history of the repository.\n\n -- %s  %s\n' \
    "$version" "$maintainer" "$(date -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$root/$doc/changelog.gz"
}

maintainer="$(sed -n 's/^Maintainer: //p' packaging/debian/control)"

# The libraries that the programs need, with the versions that have what they use; that the loader is used, too, is not seen there.
depends() {
  if command -v dpkg-shlibdeps >/dev/null; then
    local scratch
    scratch="$(mktemp -d)"
    mkdir "$scratch/debian"
    printf 'Source: liaison\n\nPackage: liaison\nArchitecture: any\n' >"$scratch/debian/control"
    local found=("${programs[@]/#/$(realpath "$root")/usr/bin/}")
    (cd "$scratch" && dpkg-shlibdeps -O "${found[@]}" 2>/dev/null) | sed -n 's/^shlibs:Depends=\(.*\)/\1, libc6 (>= 2.36)/p'
    rm -r "$scratch"
  else
    echo "libc6 (>= 2.36), libgcc-s1"
  fi
}

deb() {
  local control="$root/DEBIAN" size
  size="$(du -k -s --apparent-size "$root" | cut -f 1)"
  install -d -m 755 "$control"
  sed -e "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@SIZE@/$size/; s/@DEPENDS@/$(depends)/" \
    packaging/debian/control >"$control/control"
  install -m 755 packaging/debian/prerm "$control/prerm"
  if [ -d "$root/etc" ]; then (cd "$root" && find etc -type f -printf '/%p\n' | sort) >"$control/conffiles"; fi
  (cd "$root" && find usr -type f | sort | xargs md5sum) >"$control/md5sums"
  find "$control" -exec touch --date="@$SOURCE_DATE_EPOCH" {} +
  dpkg-deb --root-owner-group -Zxz --build "$root" "$out/liaison_${version}_$architecture.deb" >/dev/null
  rm -r "$control"
}

# The same files for systems without dpkg, below one folder.
tarball() {
  local name="liaison-$version-$(uname -m)-linux"
  tar --create --file "$out/$name.tar.gz" --directory "$root" --transform "s,^\./,$name/," \
    --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
    --format=gnu --use-compress-program='gzip -9n' .
}

build
rm -rf "$out"
mkdir -p "$out"
tree
tarball
deb
rm -rf "$root"
(cd "$out" && sha256sum liaison* >SHA256SUMS)
ls -l "$out"
