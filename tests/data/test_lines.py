import gzip
import zipfile

import pytest

from sparseembed.data.lines import located, read_lines


def lines_of(path):
    return list(read_lines(path))


def test_lines_are_numbered_with_blank_ones_counted_and_left_out(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"\n  \t\none\r\n\n\xc3\xa9 two\n\xc2\xa0\nlast")
    assert [(number, line.rstrip()) for number, line in read_lines(path)] == [
        (3, "one"),
        (5, "\u00e9 two"),
        (7, "last"),
    ]


def test_only_newlines_end_a_line(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("a\u2028b\x85c\x0cd\x1de\n", newline="")
    assert lines_of(path) == [(1, "a\u2028b\x85c\x0cd\x1de\n")]


def test_byte_order_mark_is_dropped_at_the_start_alone(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes("\ufeffa\n\ufeffb\n".encode())
    assert lines_of(path) == [(1, "a\n"), (2, "\ufeffb\n")]


def test_a_file_of_nothing_but_a_byte_order_mark_has_no_lines(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"\xef\xbb\xbf\n")
    assert lines_of(path) == []


def test_gzip_and_zip_members(tmp_path):
    content = "\ufeffa\nb\u00e9\n".encode()
    zipped = tmp_path / "x.zip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in/x.txt", content)
        archive.writestr("in/x.txt.gz", gzip.compress(content))
    (tmp_path / "x.txt.gz").write_bytes(gzip.compress(content))
    inside = zipfile.Path(zipped)
    for source in (tmp_path / "x.txt.gz", inside / "in" / "x.txt", inside / "in" / "x.txt.gz"):
        assert lines_of(source) == [(1, "a\n"), (2, "b\u00e9\n")]


def test_bad_utf8_names_the_line(tmp_path, message_of):
    path = tmp_path / "x.txt"
    path.write_bytes(b"fine\n\ncaf\xe9 au lait\n")
    message = message_of(lines_of, path)
    assert message.startswith(f"{path}:3: not UTF-8 (byte 0xe9)")
    assert "iconv" in message


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_utf16_with_a_byte_order_mark(order, tmp_path, message_of):
    path = tmp_path / "x.txt"
    raw = "\ufeffa \u010a\n\n\U0001f600\u0a00\n".encode(order)
    path.write_bytes(raw)
    assert lines_of(path) == [(1, "a \u010a\n"), (3, "\U0001f600\u0a00\n")]
    path.write_bytes(raw[:-1])
    assert "not UTF-16 (truncated data)" in message_of(lines_of, path)


@pytest.mark.parametrize("raw", ["x".encode("utf-16-le") + b"\xff", b"\xed\xa0\x80", b"ok\xc3"])
def test_utf16_without_a_mark_encoded_surrogates_and_cut_characters_are_not_utf8(raw, tmp_path, message_of):
    path = tmp_path / "x.txt"
    path.write_bytes(raw)
    assert f"{path}:1: not UTF-8" in message_of(lines_of, path)


def test_missing_file(tmp_path, message_of):
    assert message_of(lines_of, tmp_path / "no.txt") == f"{tmp_path / 'no.txt'}: no such file: check the path"


def test_a_folder_in_place_of_a_file(tmp_path, message_of):
    assert f"{tmp_path}: cannot be read (Is a directory)" in message_of(lines_of, tmp_path)


def test_damaged_gzip_files(tmp_path, message_of):
    whole = gzip.compress(b"".join(b"line %d\n" % number for number in range(5000)))
    damaged = {
        "cut": whole[: len(whole) // 2],
        "wrong sum": whole[:-8] + b"\0" * 8,
        "wrong middle": whole[:100] + b"\xff" * 100 + whole[200:],
    }
    for name, raw in damaged.items():
        path = tmp_path / f"{name}.gz"
        path.write_bytes(raw)
        assert message_of(lines_of, path).startswith(f"{path}: cannot be read")


def test_damaged_zip_member(tmp_path, message_of):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("x.txt", b"some text\n")
    path.write_bytes(path.read_bytes().replace(b"some text", b"same text"))
    assert "cannot be read" in message_of(lines_of, zipfile.Path(path) / "x.txt")


def test_error_of_a_file_whose_name_has_a_line_break_is_one_line(tmp_path):
    assert "\n" not in str(located(tmp_path / "a\nb", 3, "wrong: mend it"))
