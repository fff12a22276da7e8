// Package tool finds the foreign programs that tests and benchmarks use: wrk,
// nginx, h2o, ab, h2load, Chromium and the like.
//
// A program on PATH is taken as it is. Otherwise its Debian package, and those
// it needs that are not installed, are downloaded with apt-get and unpacked
// into .cache/tools: no root, no dpkg database, nothing outside the clone. The
// first use takes seconds, later ones nothing. Several processes may ask at
// once. Where it cannot be done (no apt, no network, not Debian) the error says
// why in one line, and the caller reports its test as not run.
package tool
