// Package sock makes and passes descriptors.
package sock
