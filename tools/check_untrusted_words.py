#!/usr/bin/python3
"""Words that another process can write are loaded once wherever they are used.

A word that is checked and then loaded again may be another one the second time. Chance rarely shows
it in a test, so the loads are counted in the text. Run from anywhere; ctest runs it as
lint.untrusted_words.
"""
import source_tree

# (file, the load, how often it may stand there)
LOADS = [
    ("include/fanout/ring/ring_writer.hpp", "ack_->tail", 1),
    ("pg_extension/worker/slot_progress.cpp", "ack_->durable_lsn", 2),  # poll() and finish()
    ("include/fanout/ring/ring_reader.hpp", "header_->head", 1),
]


def main():
    complaints = []
    for path, load, times in LOADS:
        found = source_tree.read(path).count(load)
        if found != times:
            complaints.append(f"{path}: {load} stands there {found} times, not {times}: load it "
                              "once into a local, check that, use that (or mend LOADS in "
                              "tools/check_untrusted_words.py)")
    source_tree.finish("untrusted words", complaints, len(LOADS))


main()
