// Package route finds the handler of a request: the site by host and listener,
// the route by path and method.
//
// # Precedence
//
// Of the routes that match a request, path and method, the most specific path
// wins. Paths are compared segment by segment, from the left: literal text
// before {param} before "*". The first segment that differs decides, so
// /a/* comes before /{x}/b for the path /a/b. Of routes with one and the same
// path that which names the method comes before that which takes any; a route
// for GET takes HEAD too, unless another names HEAD.
//
// A route whose path matches but whose method does not is passed over, and so
// is a literal segment that leads nowhere: with /users/new and
// /users/{id}/edit the path /users/new/edit is the second's. Nothing of the
// order of the routes in the configuration matters.
//
//	/a        that path, and not /a/
//	/a/       that path, and not /a
//	/{x}/b    any one segment, not empty, for {x}
//	/a/*      /a, /a/ and whatever is beneath
//
// # Answers of its own
//
// A request that no route takes is answered here. When some route's path
// matches: OPTIONS with 204 and any other method with 405, both with Allow.
// "OPTIONS *" is answered with 204 and the methods of the site. Otherwise 404;
// that is also the answer when no site has the host and the listener has no
// default site. A path that cannot be normalised is refused with the status of
// the reason, and the connection closed.
//
// # Cost
//
// Nothing is allocated, and the time does not depend on the number of routes:
// one probe of a table for a path without parameters, otherwise one per segment
// and alternative. Only segments for which both a literal and a {param} exist
// have an alternative.
//
// A Table is read-only once made and may be shared by loops.
package route
