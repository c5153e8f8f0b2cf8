package engine

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

// pickerFamilies begin the lines of the families that picker reads, comments aside.
var pickerFamilies = [][]byte{
	[]byte("inference_extension_flow_control_queue_size"),
	[]byte("inference_extension_flow_control_pool_saturation"),
	[]byte("inference_extension_info"),
}

// maxPickerLines is more than the 34 lines of each of 5,000 fairness ids, which fill the largest
// page that is read. A line costs 30 ns, however short.
const maxPickerLines = 500_000

// CopyPicker copies the lines of a picker's page that picker reads from r to dst.
// The fairness id that a client sends is a label of the flow-control families, 6.1
// KB of lines for each id (v1.5.0), and the picker never removes an id: the page as
// a whole grows with the number of clients, what is copied grows with the number of
// flows that wait. Of the flows without a waiting request only the first is copied.
// A line of more than maxLine bytes and more than maxPickerLines lines are errors, and
// the copy ends with ErrStopped soon after stop returns true. n is the number of bytes read.
func CopyPicker(dst io.Writer, r io.Reader, maxLine int, stop func() bool) (n int64, err error) {
	reader := bufio.NewReaderSize(r, maxLine)
	for lines, empty := 1, 0; ; lines++ {
		if lines%linesPerCheck == 0 && stop() {
			return n, ErrStopped
		}
		line, err := reader.ReadSlice('\n')
		n += int64(len(line))
		if lines > maxPickerLines && len(line) > 0 {
			return n, fmt.Errorf("%w: more than %d lines", ErrTooLarge, maxPickerLines)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			return n, fmt.Errorf("%w: a line is longer than %d bytes", ErrTooLarge, maxLine)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return n, err
		}
		if isEmptyFlow(line) {
			empty++
		}
		if pickerReads(line) && (empty <= 1 || !isEmptyFlow(line)) {
			if _, err := dst.Write(line); err != nil {
				return n, err
			}
		}
		if err != nil {
			return n, nil //nolint:nilerr the end, or a line too long: what was read counts
		}
	}
}

// pickerReads reports whether a line is one that the table picker reads.
func pickerReads(line []byte) bool {
	return slices.ContainsFunc(pickerFamilies, func(family []byte) bool {
		return len(line) > 0 && bytes.HasPrefix(familyName(line), family)
	})
}

// isEmptyFlow reports whether a line is the queue size 0 of one flow.
func isEmptyFlow(line []byte) bool {
	return bytes.HasPrefix(line, pickerFamilies[0]) && bytes.HasSuffix(line, []byte("} 0\n"))
}
