package http1

// Reason says why input was refused. The zero value, OK, means it was not.
type Reason uint8

// The refusals, in the order in which a message is read. Every one but those
// of a path closes the connection: what follows cannot be trusted to be where
// it seems.
const (
	OK Reason = iota

	// Anywhere in a head or in the framing of a chunked body.
	BareCR // CR without LF
	BareLF // LF without CR

	// Request line.
	EmptyLine          // a second empty line before the request line
	BadMethod          // method empty or not a token
	MethodTooLong      // more than 32 bytes
	ConnectMethod      // CONNECT: this is not a proxy
	BadTarget          // target empty, or of no form that fits the method
	BadTargetByte      // control character, space or '#' in the target
	RequestLineTooLong // longer than Limits.RequestLine
	MissingVersion     // request line ends after the target
	BadVersion         // not HTTP/DIGIT.DIGIT and the end of the line
	UnsupportedVersion // neither HTTP/1.0 nor HTTP/1.1
	HTTP2Preface       // first line of an HTTP/2 connection

	// Field lines.
	LeadingSpace    // space or tab at the start of the first field line
	ObsFold         // space or tab at the start of a later one
	EmptyName       // nothing before the colon
	SpaceInName     // space or tab before the colon
	BadNameByte     // not a token character before the colon
	MissingColon    // field line without a colon
	BadValueByte    // control character in a value
	HeadTooLarge    // head longer than Limits.HeaderBytes
	TooManyFields   // more fields than Limits.HeaderCount
	MissingHost     // HTTP/1.1 without Host
	DuplicateHost   // more than one Host
	BadHost         // not uri-host [":" port]
	HostMismatch    // Host differs from the authority of the target
	BadExpect       // anything but 100-continue
	BadLength       // Content-Length is not digits, or is empty or a list
	LengthTooLarge  // Content-Length above 2^63-1
	DuplicateLength // more than one Content-Length, even when equal
	LengthAndCoding // Content-Length beside Transfer-Encoding
	CodingInHTTP10  // Transfer-Encoding in a 1.0 message
	DuplicateCoding // more than one Transfer-Encoding
	EmptyCoding     // Transfer-Encoding without a value
	UnknownCoding   // Transfer-Encoding other than chunked alone

	// Chunked body.
	BadChunkSize     // size is not 1 to 16 hexadecimal digits
	ChunkTooLarge    // size above 2^63-1
	BadChunkByte     // control character in a chunk extension
	ChunkExtTooLong  // extension longer than maxChunkExt
	ChunkOverhead    // too much framing for too little data
	BadChunkEnd      // chunk data not followed by CRLF
	TrailersTooLarge // more bytes than maxTrailerBytes
	TooManyTrailers  // more fields than maxTrailerCount
	ForbiddenTrailer // a field that must not come after the body

	// Path.
	PathNotAbsolute  // does not start with '/'
	PathAboveRoot    // ".." beyond the root
	PathNUL          // %00
	PathEncodedSlash // %2F or %5C
	PathBackslash    // '\'
	PathBadEscape    // '%' without two hexadecimal digits

	reasonEnd
)

// NumReasons is the number of reasons, OK included: Reason(0) to
// Reason(NumReasons-1).
const NumReasons = int(reasonEnd)

var reasons = [NumReasons]struct {
	status int
	label  string
	text   string
}{
	OK: {200, "ok", "The request is well formed."},

	BareCR: {400, "bare_cr", "A carriage return is not followed by a line feed."},
	BareLF: {400, "bare_lf", "A line ends with a line feed alone."},

	EmptyLine:          {400, "empty_line", "More than one empty line precedes the request line."},
	BadMethod:          {400, "bad_method", "The method is empty or holds a byte that is not a token character."},
	MethodTooLong:      {501, "method_too_long", "The method is longer than 32 bytes."},
	ConnectMethod:      {501, "connect", "This server is not a proxy: CONNECT is not implemented."},
	BadTarget:          {400, "bad_target", "The request target is empty or of a form that does not fit the method."},
	BadTargetByte:      {400, "bad_target_byte", "The request target holds a space, a control character or a fragment."},
	RequestLineTooLong: {414, "request_line_too_long", "The request line is longer than this server accepts."},
	MissingVersion:     {400, "missing_version", "The request line ends without an HTTP version."},
	BadVersion:         {400, "bad_version", "The request line does not end with a well-formed HTTP version."},
	UnsupportedVersion: {505, "unsupported_version", "Only HTTP/1.0 and HTTP/1.1 are supported."},
	HTTP2Preface:       {505, "http2_preface", "HTTP/2 is not spoken here."},

	LeadingSpace:    {400, "leading_space", "The first field line starts with a space or tab."},
	ObsFold:         {400, "obs_fold", "A field value is folded over several lines."},
	EmptyName:       {400, "empty_name", "A field line has no name before its colon."},
	SpaceInName:     {400, "space_in_name", "A space or tab stands before the colon of a field line."},
	BadNameByte:     {400, "bad_name_byte", "A field name holds a byte that is not a token character."},
	MissingColon:    {400, "missing_colon", "A field line has no colon."},
	BadValueByte:    {400, "bad_value_byte", "A field value holds a control character."},
	HeadTooLarge:    {431, "head_too_large", "The request head is larger than this server accepts."},
	TooManyFields:   {431, "too_many_fields", "The request head has more fields than this server accepts."},
	MissingHost:     {400, "missing_host", "An HTTP/1.1 request needs a Host field."},
	DuplicateHost:   {400, "duplicate_host", "The request has more than one Host field."},
	BadHost:         {400, "bad_host", "The host is not a valid name or address with an optional port."},
	HostMismatch:    {400, "host_mismatch", "The Host field differs from the authority of the request target."},
	BadExpect:       {417, "bad_expect", "The only expectation this server can meet is 100-continue."},
	BadLength:       {400, "bad_length", "Content-Length is not a single decimal number."},
	LengthTooLarge:  {400, "length_too_large", "Content-Length is too large to be a length."},
	DuplicateLength: {400, "duplicate_length", "The request has more than one Content-Length field."},
	LengthAndCoding: {400, "length_and_coding", "The request has both Content-Length and Transfer-Encoding."},
	CodingInHTTP10:  {400, "coding_in_http10", "Transfer-Encoding is not defined for HTTP/1.0."},
	DuplicateCoding: {400, "duplicate_coding", "The request has more than one Transfer-Encoding field."},
	EmptyCoding:     {400, "empty_coding", "Transfer-Encoding has no value."},
	UnknownCoding:   {501, "unknown_coding", "The only transfer coding understood is chunked, alone."},

	BadChunkSize:     {400, "bad_chunk_size", "A chunk size is not 1 to 16 hexadecimal digits and the end of the line."},
	ChunkTooLarge:    {413, "chunk_too_large", "A chunk is too large to have a length."},
	BadChunkByte:     {400, "bad_chunk_byte", "A chunk extension holds a control character."},
	ChunkExtTooLong:  {400, "chunk_ext_too_long", "A chunk extension is longer than this server accepts."},
	ChunkOverhead:    {400, "chunk_overhead", "The chunked body is mostly framing."},
	BadChunkEnd:      {400, "bad_chunk_end", "The data of a chunk is not followed by the end of the line."},
	TrailersTooLarge: {431, "trailers_too_large", "The trailer section is larger than this server accepts."},
	TooManyTrailers:  {431, "too_many_trailers", "The trailer section has more fields than this server accepts."},
	ForbiddenTrailer: {400, "forbidden_trailer", "A field in the trailer section may not be sent there."},

	PathNotAbsolute:  {400, "path_not_absolute", "The path does not start with a slash."},
	PathAboveRoot:    {400, "path_above_root", "The path leads above the root."},
	PathNUL:          {400, "path_nul", "The path holds an encoded NUL."},
	PathEncodedSlash: {400, "path_encoded_slash", "The path holds an encoded slash or backslash."},
	PathBackslash:    {400, "path_backslash", "The path holds a backslash."},
	PathBadEscape:    {400, "path_bad_escape", "A percent sign in the path is not followed by two hexadecimal digits."},
}

// Status returns the HTTP status to answer with.
func (r Reason) Status() int { return reasons[r].status }

// String returns the reason as a short label in snake case: a metric's label,
// so it does not change between versions.
func (r Reason) String() string { return reasons[r].label }

// Text returns the reason as a sentence, for the log and the response's body.
func (r Reason) Text() string { return reasons[r].text }
