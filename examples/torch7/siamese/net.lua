-- Two images in the channels of one: are they of the same class? Both pass the same network, which
-- learns vectors that point in the same direction if they are.

return function(params)
    local height, width = 28, 28
    if params.inputShape then
        assert(params.inputShape[1] == 2, 'expected two gray images as two channels')
        height, width = params.inputShape[2], params.inputShape[3]
    end
    local rows = math.floor((math.floor((height - 4) / 2) - 4) / 2)
    local columns = math.floor((math.floor((width - 4) / 2) - 4) / 2)

    local one = nn.Sequential()
    one:add(nn.MulConstant(1 / 256))
    one:add(nn.View(1, height, width):setNumInputDims(2))
    one:add(nn.SpatialConvolution(1, 8, 5, 5)):add(nn.ReLU())
    one:add(nn.SpatialMaxPooling(2, 2, 2, 2))
    one:add(nn.SpatialConvolution(8, 16, 5, 5)):add(nn.ReLU())
    one:add(nn.SpatialMaxPooling(2, 2, 2, 2))
    one:add(nn.View(16 * rows * columns):setNumInputDims(3))
    one:add(nn.Linear(16 * rows * columns, 10))
    local other = one:clone('weight', 'bias', 'gradWeight', 'gradBias')

    local model = nn.Sequential()
    model:add(nn.SplitTable(1, 3))
    model:add(nn.ParallelTable():add(one):add(other))

    return {
        model = model,
        loss = nn.CosineEmbeddingCriterion(0.5),
        trainBatchSize = 64,
        -- class 1: of the same class; class 0: of others, which the criterion calls -1
        labelHook = function(input, dblabel)
            local target = dblabel:clone()
            target[torch.eq(target, 1)] = -1
            target[torch.eq(target, 2)] = 1
            return target
        end,
    }
end
