package conf

// Bounds on what is read. They are far above what people write and exist so
// that a wrong file (a log, a core dump, an alias bomb) is refused quickly and
// in words. Bounds on a single key (number of listeners, sites, routes) stand
// in the table with the key.
const (
	// A route takes some 60 to 100 bytes, so 16 MiB hold more than 100,000.
	maxFileBytes = 16 << 20
	// The main file and everything it includes.
	maxAllFileBytes = 64 << 20
	maxFiles        = 1000
	maxIncludeDepth = 8

	// Values of all files, counted after aliases are followed: what an alias
	// bomb multiplies is stopped here. 100,000 routes are about 600,000.
	maxValues = 1_500_000
	// Merge keys ("<<") inside merged mappings.
	maxMergeDepth = 16

	// One text, after ${VAR} is replaced: bodies, and all other values.
	maxTextBytes = 1 << 20
	maxNameBytes = 4096
	// What all ${VAR} of a configuration may expand to together.
	maxExpandedBytes = 16 << 20

	// Past these a list of problems helps nobody.
	maxProblems = 1000

	// Parameters in one match.
	maxParams = 16
	// Segments in one match.
	maxSegments = 64
	maxPattern  = 2048
)
