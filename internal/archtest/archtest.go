// Package archtest checks the design: which packages may import which, which packages are pure, that every package
// and every exported name is documented, and what a small program links. It has tests only.
package archtest
