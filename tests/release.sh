#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# make release: refuses what is not fit for a release, makes the same tarball twice, and
# signs with a key. make help: lists every target.
# host
#
# Functions are called by way of succeeds.
# shellcheck disable=SC2317
set -u
cd "${DAXSTACK_TOP:-.}" || exit 1
top=$PWD
tmp=$(mktemp -d "${TMPDIR:-/tmp}/daxstack-release-test.XXXXXX") || exit 1
# The agent would outlive the test.
trap 'gpgconf --homedir "$tmp/gnupg" --kill all 2>/dev/null; rm -rf "$tmp"' EXIT
unset MAKEFLAGS MFLAGS MAKELEVEL RELEASE_KEY
export GNUPGHOME=$tmp/gnupg HOME=$tmp
export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=Ann GIT_AUTHOR_EMAIL=ann@example.org
export GIT_COMMITTER_NAME=Ann GIT_COMMITTER_EMAIL=ann@example.org

# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
# Shown after failed checks.
said=$tmp/said
release=$(cd "$top" && find scripts -name release -type f)
# refused PATTERN: with that in what is said
refused()
{
	! "$tmp/tree/$release" --no-debs >"$tmp/release" 2>&1 || return
	cat "$tmp/release"
	grep -qE -e "$1" "$tmp/release"
}

# --- A clone with a version that is ready

mkdir "$tmp/tree"
cp -R .gitignore .reuse LICENSES AUTHORS CHANGELOG.md Makefile VERSION debian dkms include \
	module scripts tools "$tmp/tree/"
cd "$tmp/tree" || exit 1
rm -f module/*.o module/*.ko module/.*.cmd
version=$(cat VERSION)
git init -q
git add -A
git commit -q -m 'no sign-off'
sed -i "s/^## \[$version\] - .*/## [$version] - unreleased/" CHANGELOG.md
touch unknown
succeeds 'a tree with changes is refused' refused 'the tree has changes'
rm unknown
git commit -q -a -s -m 'as it is before a release' --allow-empty
succeeds 'a version without a date in CHANGELOG.md is refused' refused 'CHANGELOG.md has no entry'
sed -i "s/^## \[$version\] - .*/## [$version] - 2026-11-30/" CHANGELOG.md
git commit -q -a -m 'date it'
succeeds 'a commit without Signed-off-by is refused' refused "no 'Signed-off-by: Ann"
git commit -q --amend -s -m 'date it'
echo 9.9.9 >VERSION
git commit -q -a -s -m 'another version'
succeeds 'versions that differ are refused' refused 'versions differ'
git reset -q --hard HEAD~1
cp VERSION nothing.c
mv LICENSES/GPL-2.0-only.txt licence
git add -A
git commit -q -s -m 'no licence'
succeeds 'a licence without its text is refused' refused 'licences are missing'
git reset -q --hard HEAD~1

# --- The tarball

succeeds 'a release' sh -c "'./$release' --no-debs '$tmp/one' >'$tmp/first'"
succeeds '... that says it is unsigned' grep -q 'unsigned and not tagged' "$tmp/first"
sleep 1
succeeds 'a second one' env TZ=Asia/Tokyo "./$release" --no-debs "$tmp/two"
succeeds '... is the same, to the byte' diff -r "$tmp/one" "$tmp/two"
succeeds 'SHA256SUMS is right' sh -c "cd '$tmp/one' && sha256sum -c SHA256SUMS"
succeeds 'the tarball has the tree' sh -c "
	tar -C '$tmp' -xzf '$tmp/one/daxstack-$version.tar.gz' &&
	diff -r -x .git '$tmp/tree' '$tmp/daxstack-$version'"

# --- Signatures

mkdir -m 700 "$GNUPGHOME"
gpg --batch --quiet --pinentry-mode loopback --passphrase '' \
	--quick-generate-key 'Ann <ann@example.org>' ed25519 sign never 2>/dev/null
succeeds 'a release with a key' env RELEASE_KEY=ann@example.org "./$release" --no-debs "$tmp/signed"
for file in "daxstack-$version.tar.gz" SHA256SUMS; do
	succeeds "... signs $file" gpg --verify "$tmp/signed/$file.asc" "$tmp/signed/$file"
done
succeeds "... and the tag" git verify-tag "v$version"
succeeds '... which a second run keeps' env RELEASE_KEY=ann@example.org \
	"./$release" --no-debs "$tmp/signed"
git commit -q --allow-empty -s -m 'after the release'
succeeds 'the same version of another commit is refused' refused "v$version is another commit"
succeeds 'a key that is not there is refused' sh -c "
	git reset -q --hard HEAD~1
	! RELEASE_KEY=bob@example.org ./$release --no-debs '$tmp/none' && [ ! -e '$tmp/none' ]"

# --- make help

cd "$top" || exit 1
make help >"$tmp/help"
# Internal targets: those that others need.
sed -n 's/^\.PHONY: //p' Makefile | tr ' ' '\n' |
	grep -vxE 'all|needs|tools|tests|deps|deps-build' | while read -r target; do
	grep -q "^make $target " "$tmp/help" || echo "$target"
done >"$tmp/unlisted"
succeeds 'make help lists every target' sh -c "cat '$tmp/unlisted'; [ ! -s '$tmp/unlisted' ]"
succeeds 'a wrong target: says where they are' sh -c "
	make no-such-target >'$tmp/make' 2>&1; [ \$? = 2 ] && grep -q 'make help' '$tmp/make'"

done_testing
