"""Arithmetic on a panel's width of floats at once, for compiled loops. Import this module lazily.

LLVM unrolls loops as short as a panel is wide before it looks for vectors in them, and then finds none. So the vectors
are asked for by name.
"""

from typing import Any

from llvmlite import ir

from sparseembed.jit import intrinsic, types

PANEL = 16  # texts scored together: a piece's scores of 16 texts are one cache line


def _add_line(context: Any, total: Any, lines: Any, line: Any) -> Any:
    """Add a row of floats to others: total += lines[line].

    :param total: Shape (PANEL,), float32, contiguous.
    :param lines: Shape (n, PANEL), float32, contiguous.
    :param line: An int64; not checked.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        into = _vector(context, builder, signature.args[0], values[0], None)
        added = _vector(context, builder, signature.args[1], values[1], values[2])
        _store(builder, builder.fadd(_load(builder, into), _load(builder, added)), into)
        return context.get_dummy_value()

    return types.void(total, lines, types.int64), generate


def _raise_line(context: Any, lines: Any, line: Any, total: Any, factor: Any) -> Any:
    """Raise a row of floats to others where these are larger: lines[line] = max(lines[line], total x factor).

    :param lines: Shape (n, PANEL), float32, contiguous.
    :param line: An int64; not checked.
    :param total: Shape (PANEL,), float32, contiguous.
    :param factor: A float32.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        into = _vector(context, builder, signature.args[0], values[0], values[1])
        scaled = builder.fmul(
            _load(builder, _vector(context, builder, signature.args[2], values[2], None)), _spread(builder, values[3])
        )
        before = _load(builder, into)
        _store(builder, builder.select(builder.fcmp_ordered(">", scaled, before), scaled, before), into)
        return context.get_dummy_value()

    return types.void(lines, types.int64, total, types.float32), generate


add_line: Any = intrinsic(_add_line)
raise_line: Any = intrinsic(_raise_line)


def _vector(context: Any, builder: Any, kind: Any, value: Any, line: Any) -> Any:
    """Return the address of an array's row, or of the array, as that of a vector."""
    address = context.make_array(kind)(context, builder, value).data
    if line is not None:
        address = builder.gep(address, [builder.mul(line, ir.Constant(line.type, PANEL))])
    return builder.bitcast(address, ir.VectorType(ir.FloatType(), PANEL).as_pointer())


def _load(builder: Any, address: Any) -> Any:
    loaded = builder.load(address)
    loaded.align = 4
    return loaded


def _store(builder: Any, value: Any, address: Any) -> None:
    builder.store(value, address).align = 4


def _spread(builder: Any, value: Any) -> Any:
    """Return a vector of one value."""
    kind = ir.VectorType(ir.FloatType(), PANEL)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), PANEL), [0] * PANEL)
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), zeros)
