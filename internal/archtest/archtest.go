// Package archtest holds the design to its word: who may import whom, which packages are pure, that every package
// and every exported name is documented, and what a small program links. It has tests only.
package archtest
