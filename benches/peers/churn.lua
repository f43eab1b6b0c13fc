local count = 100000
local objects = {}
for i = 0, count - 1 do objects[i] = { value = i, next = nil } end
for round = 0, 19 do
  for i = round % 7, count - 1, 7 do
    local fresh = { value = i + round, next = nil }
    objects[(i + 1) % count].next = fresh
    objects[i] = fresh
  end
end
local sum = 0
for i = 0, count - 1 do sum = (sum * 31 + objects[i].value) % 1000003 end
print(sum)
