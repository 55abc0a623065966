package main

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/flate"
	"io"
	"io/fs"
	"slices"
	"time"
)

// entry is one file of a zip.
type entry struct {
	name    string
	mode    fs.FileMode
	content []byte
}

// epoch is the time that every entry carries: the first instant that a zip can express.
var epoch = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

// writeArchive returns a zip of the entries, sorted by name. Its bytes depend on nothing but the entries and
// the Go version, whose compressor may change.
func writeArchive(entries []entry) ([]byte, error) {
	var buffer bytes.Buffer
	archive := zip.NewWriter(&buffer)
	archive.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestCompression)
	})
	sorted := slices.SortedFunc(slices.Values(entries), func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	for _, e := range sorted {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: epoch}
		header.SetMode(e.mode) // a cloud starts the program only if it is executable
		file, err := archive.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := file.Write(e.content); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}
