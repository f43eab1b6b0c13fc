local function make(depth)
  if depth == 0 then return {} end
  return { left = make(depth - 1), right = make(depth - 1) }
end

local function count(tree)
  if tree.left == nil then return 1 end
  return 1 + count(tree.left) + count(tree.right)
end

local most = 15
local stretch = count(make(most + 1))
local total = stretch
local kept = make(most)
for depth = 4, most, 2 do
  local rounds = 1 << (most - depth + 4)
  local sum = 0
  for _ = 1, rounds do sum = sum + count(make(depth)) end
  total = total + sum
end
print(total + count(kept))
