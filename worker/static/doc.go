// Package static serves the files beneath a folder.
//
// # What it promises
//
// A file is opened beneath its root only: the kernel refuses every path that
// leaves it, by a symbolic link too (openat2 with RESOLVE_BENEATH; os.Root
// where that is missing). A link with an absolute path leaves it, wherever it
// leads. Only regular files are sent. Without a "*" in the route the request's
// path is the path beneath the root; with one, what the "*" matched is.
//
// A client never gets a mixture of two states of a file that is held in
// memory: its content counts only when the file was the same before and after
// reading. A change of a file, of a folder's index or of the root itself (a
// link that leads to another release) shows after Revalidate at the latest.
//
// # Answers
//
//	a folder without the slash at its end   301, the query kept
//	a folder with it                        its index, 403 without one
//	a file with a slash at its end          404
//	leaves the root, loops, is no file      404
//	not readable                            403
//	descriptors used up                     503, and Trouble is told
//	another method than GET and HEAD        405, OPTIONS 204
//
// Conditions and ranges follow RFC 9110 sections 13 and 14. The entity tag is
// strong, from the time of modification in nanoseconds and the size. A request
// for several ranges, and a range of an empty file, get the whole file; HEAD
// knows no ranges.
//
// # How
//
// Small files are held in memory as complete responses, larger ones as open
// descriptors, both found by the path beneath the root without allocating and
// bounded by a Cache, which handlers may share. Entries that were not asked for
// since the last round go first.
//
// Nothing here waits for the disk on the loop. A file that is not in the cache
// is looked up with RESOLVE_CACHED and read with RWF_NOWAIT; when either would
// have to wait, all of it is done again on the pool, once for all who ask for
// the same file meanwhile. A file system that cannot say whether it would wait
// (overlayfs; a network) always goes there.
//
// A Handler and its Cache belong to one loop and have no locks. What runs on
// the pool has values of its own and comes back through a callback.
//
// It does not compress, list folders, or remember what is not there.
package static
