// Package metrics counts in shared memory and shows the counts as one
// Prometheus page.
package metrics
