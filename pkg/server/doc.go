// Package server is the composition root: it builds every part of the program
// from its options, connects them, and runs them until the context ends. All
// wiring of the product is here and nowhere else.
package server
